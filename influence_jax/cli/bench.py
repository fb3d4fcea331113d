"""``influence-jax bench``: how fast it is on this machine."""

import os
import pathlib
import subprocess
import sys

from influence_jax.settings import ConfigError


def main(arguments: list[str]) -> int:
    """Run the benchmarks of the repository, which are not part of the installed package.

    They run in a process of their own, since some questions set it up before JAX starts.
    """
    roots = (pathlib.Path(__file__).parents[2], pathlib.Path.cwd())
    root = next((root for root in roots if (root / "benchmarks" / "__main__.py").exists()), None)
    if root is None:
        raise ConfigError(
            "bench needs the folder 'benchmarks' of the repository, which is not installed; run it from a checkout."
        )
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False, close_fds=False).returncode
