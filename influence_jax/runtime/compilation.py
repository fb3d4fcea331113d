"""How programs are compiled, and that they outlive the process: the second start of a run does not compile again."""

import hashlib
import pathlib
import platform

import jax
import platformdirs

CACHE_BYTES = 4 * 2**30  # of compiled programs that are kept; what was not used for longest goes first


def keep_compiled_programs() -> None:
    """Keep programs that took a second to compile in the user's cache directory, where the next start finds them.

    Call it before anything is compiled; the command line does. A directory that was chosen already, for instance by the
    environment variable JAX_COMPILATION_CACHE_DIR, stays, and JAX_ENABLE_COMPILATION_CACHE=false turns the whole off. Programs
    are kept apart by kind of processor, since a home directory may be that of many machines.
    """
    if jax.config.jax_compilation_cache_dir is None:
        directory = platformdirs.user_cache_path("influence_jax") / "jax" / processor()
        jax.config.update("jax_compilation_cache_dir", str(directory))
        jax.config.update("jax_compilation_cache_max_size", CACHE_BYTES)


def processor(info: pathlib.Path = pathlib.Path("/proc/cpuinfo")) -> str:
    """Return a name for the kind of processor: a program for one that knows more instructions crashes another."""
    try:
        lines = info.read_text().partition("\n\n")[0].splitlines()
    except OSError:  # not Linux
        lines = [f"model name: {platform.processor()}"]
    known = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return f"{platform.machine()}-{hashlib.sha256(repr(known).encode()).hexdigest()[:12]}"


def compiler_options() -> dict[str, str]:
    """Return what XLA should know when it compiles games or learning for this platform, for ``jax.jit(compiler_options=...)``.

    On a CPU, the products of these sizes are left to Eigen, since YNNPACK's mostly use one core only, and loops use the full
    width of the vector registers: games are faster by a sixth, and training, on two cores, by a fifth (benchmarks/NOTES.md).
    """
    if jax.default_backend() == "cpu":
        return {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_prefer_vector_width": "512"}
    return {}
