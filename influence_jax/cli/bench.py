"""``influence-jax bench``: measure speed and memory on this machine."""

import subprocess
import sys


def main(arguments: list[str]) -> int:
    """Run `influence_jax.bench` in a process of its own, since some questions set it up before JAX starts."""
    command = [sys.executable, "-m", "influence_jax.bench", *arguments]
    return subprocess.run(command, check=False, close_fds=False).returncode
