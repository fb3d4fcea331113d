"""The cache of compiled programs, seen from new processes."""

import os
import subprocess
import sys

from influence_jax.runtime.compilation import processor

PROGRAM = """
import influence_jax, jax
influence_jax.keep_compiled_programs()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
print(jax.config.jax_compilation_cache_dir)
"""


def run(folder, **variables):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XDG_"))}
    environment = inherited | {"HOME": str(folder), "LOCALAPPDATA": str(folder)} | variables
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_programs_are_kept_in_the_users_cache(tmp_path):
    where = run(tmp_path)
    assert where.startswith(str(tmp_path)) and os.listdir(where)


def test_a_chosen_directory_stays(tmp_path):
    chosen = str(tmp_path / "chosen")
    assert run(tmp_path, JAX_COMPILATION_CACHE_DIR=chosen) == chosen and os.listdir(chosen)


def test_it_can_be_turned_off(tmp_path):
    where = run(tmp_path, JAX_ENABLE_COMPILATION_CACHE="false")
    assert not os.path.exists(where)


def test_programs_of_other_processors_are_kept_apart(tmp_path):
    cpus = {}
    for name, text in (("a", "model name: x\nflags: sse\n\nmodel name: y"), ("b", "model name: x\nflags: sse avx\n")):
        (tmp_path / name).write_text(text)
        cpus[name] = processor(tmp_path / name)
    assert cpus["a"] != cpus["b"] and cpus["a"] == processor(tmp_path / "a")
    assert processor(tmp_path / "none") == processor(tmp_path / "none")
    assert processor() in run(tmp_path)
