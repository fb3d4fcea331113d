"""Compiler options, and a cache of compiled programs, so that a second start does not compile again."""

import hashlib
import pathlib
import platform

import jax
import platformdirs

CACHE_BYTES = 4 * 2**30  # size of the cache; the least recently used programs are dropped


def keep_compiled_programs() -> None:
    """Keep programs that took a second to compile in the user's cache directory, for the next start.

    Call this before anything is compiled; the command line does. A cache directory that is already set, for instance by the
    environment variable JAX_COMPILATION_CACHE_DIR, stays in use, and JAX_ENABLE_COMPILATION_CACHE=false turns the cache off.
    Programs are kept separately for each kind of processor, because a home directory may be shared by many machines.

    >>> influence_jax.keep_compiled_programs()
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        directory = platformdirs.user_cache_path("influence_jax") / "jax" / processor()
        jax.config.update("jax_compilation_cache_dir", str(directory))
        jax.config.update("jax_compilation_cache_max_size", CACHE_BYTES)


def processor(info: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> str:
    """Return a name for the kind of processor. A program compiled for one that has more instructions crashes on another."""
    try:
        lines = info.read_text().partition("\n\n")[0].splitlines()
    except OSError:  # not Linux
        lines = [f"model name: {platform.processor()}"]
    known = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return f"{platform.machine()}-{hashlib.sha256(repr(known).encode()).hexdigest()[:12]}"


def compiler_options() -> dict[str, str]:
    """Return XLA's options for games and training on this platform, for ``jax.jit(compiler_options=...)``.

    On a CPU, matrix products of these sizes go to Eigen, because YNNPACK mostly uses one core, and loops use the full width of
    vector registers. Games are faster by a sixth, and training on two cores by a fifth (benchmarks/NOTES.md).

    >>> env = influence_jax.make("harvest")
    >>> step = jax.jit(jax.vmap(env.step), compiler_options=influence_jax.compiler_options())
    """
    if jax.default_backend() == "cpu":
        return {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_prefer_vector_width": "512"}
    return {}
