"""Other packages' games as rows beside ours: each runs in a process of its own and steps when it is told to.

SocialJax has the same two games, with views of 11 x 11 cells in 19 binary channels. JaxMARL has no Cleanup or Harvest; its
nearest game is the one with grid, beams and partial views, STORM (`storm_np`), which has less in it.
"""

import contextlib
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator

from influence_jax.bench.harness import Program
from influence_jax.config import ConfigError

WORKER = pathlib.Path(__file__).with_name("peer_worker.py")
SOCIALJAX_GAMES = {"cleanup": "clean_up", "harvest": "harvest_common_open"}
JAXMARL_GAMES = {"cleanup": "storm_np"}


@contextlib.contextmanager
def running(
    game: str, num_agents: int, num_envs: int, steps: int, socialjax: pathlib.Path | None, python: str
) -> Iterator[list[Program]]:
    """Start the peers that have something like ``game``; end them on leaving.

    Raises:
        ConfigError: the checkout of SocialJax, or the interpreter, cannot be used.
    """
    wanted = []
    if socialjax and game in SOCIALJAX_GAMES:
        if not (socialjax / "socialjax" / "registration.py").exists():
            raise ConfigError(f"socialjax is {str(socialjax)!r}; allowed is a checkout of SocialJax.")
        wanted.append(("socialjax", SOCIALJAX_GAMES[game]))
    if game in JAXMARL_GAMES and has_jaxmarl(python):
        wanted.append(("jaxmarl", JAXMARL_GAMES[game]))
    with contextlib.ExitStack() as stack:
        programs = []
        for package, name in wanted:
            environment = os.environ | ({"PYTHONPATH": str(socialjax.resolve())} if package == "socialjax" else {})
            command = [python, str(WORKER), package, name, str(num_agents), str(num_envs), str(steps)]
            worker = stack.enter_context(_started(command, environment))
            said = _hear(worker, package, python)
            labels = {"game": name, "version": package, "num_envs": num_envs, "num_agents": num_agents}
            programs.append(
                Program(
                    f"{package} {name}, {num_envs} envs",
                    lambda worker=worker, package=package: _step(worker, package, python),
                    num_envs * steps,
                    said["compile_seconds"],
                    labels=labels | {"observation_shape": said["observation_shape"], "jax": said["jax"]},
                )
            )
        yield programs


def has_jaxmarl(python: str) -> bool:
    """Return whether an interpreter can import JaxMARL.

    Raises:
        ConfigError: there is no such interpreter.
    """
    try:
        find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('jaxmarl') is None)"
        return subprocess.run([python, "-c", find], check=False, close_fds=False).returncode == 0
    except OSError as error:
        raise ConfigError(f"peer_python is {python!r}, which cannot be run: {error.strerror}.") from error


@contextlib.contextmanager
def _started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, close_fds=False
    ) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def _step(worker: subprocess.Popen, package: str, python: str) -> None:
    worker.stdin.write("\n")
    worker.stdin.flush()
    _hear(worker, package, python)


def _hear(worker: subprocess.Popen, package: str, python: str) -> dict:
    line = worker.stdout.readline()
    if not line:
        last = (worker.stderr.read().strip().splitlines() or ["no message"])[-1]
        raise ConfigError(f"{package} does not run under {python}: {last}")
    return json.loads(line)
