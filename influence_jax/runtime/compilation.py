"""Compiled programs outlive the process: the second start of a run does not compile again."""

import jax
import platformdirs


def keep_compiled_programs() -> None:
    """Keep programs that took a second to compile in the user's cache directory, where the next start finds them.

    Call it before anything is compiled; the command line does. A directory that was chosen already, for instance by the
    environment variable JAX_COMPILATION_CACHE_DIR, stays, and JAX_ENABLE_COMPILATION_CACHE=false turns the whole off.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("influence_jax") / "jax"))
