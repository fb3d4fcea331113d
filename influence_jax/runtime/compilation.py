"""How programs are compiled, and that they outlive the process: the second start of a run does not compile again."""

import jax
import platformdirs


def keep_compiled_programs() -> None:
    """Keep programs that took a second to compile in the user's cache directory, where the next start finds them.

    Call it before anything is compiled; the command line does. A directory that was chosen already, for instance by the
    environment variable JAX_COMPILATION_CACHE_DIR, stays, and JAX_ENABLE_COMPILATION_CACHE=false turns the whole off.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("influence_jax") / "jax"))


def compiler_options() -> dict[str, str]:
    """Return what XLA should know when it compiles games or learning for this platform, for ``jax.jit(compiler_options=...)``.

    On a CPU, the products of these sizes are left to Eigen, since YNNPACK's mostly use one core only, and loops use the full
    width of the vector registers: games are faster by a sixth, and training, on two cores, by a fifth (benchmarks/NOTES.md).
    """
    if jax.default_backend() == "cpu":
        return {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_prefer_vector_width": "512"}
    return {}
