"""How many environment steps per second, compared with other packages' games, each in a process of its own, stepped in turns?

SocialJax has the same two games, with views of 11 x 11 cells in 19 binary channels. JaxMARL has no Cleanup or Harvest; its
closest game with a grid, beams and partial views is STORM (`storm_np`), which is smaller.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from influence_jax.bench import env
from influence_jax.bench.harness import Workload
from influence_jax.config import ConfigError

WORKER = pathlib.Path(__file__).with_name("peer_worker.py")
SOCIALJAX_GAMES = {"cleanup": "clean_up", "harvest": "harvest_common_open"}
JAXMARL_GAMES = {"cleanup": "storm_np"}


@dataclasses.dataclass(frozen=True)
class Arguments(env.Arguments):
    """What to measure."""

    socialjax: pathlib.Path | None = None
    """A checkout of SocialJax to compare with."""
    python: str = sys.executable
    """Interpreter that runs the peers: SocialJax, and JaxMARL if it is installed."""


SMOKE = env.SMOKE


def main(arguments: Arguments) -> None:
    """Measure every game with every number of environments."""
    peers = peers_of(arguments)

    def measured(game, num_agents, num_envs, steps):
        with contextlib.ExitStack() as stack:
            beside = [stack.enter_context(running(*peer, num_envs, arguments)) for peer in peers[game]]
            return env.measure_game(game, num_agents, num_envs, steps, arguments.repeats, beside)

    env.measure_games(arguments, "peers", measured)


def peers_of(arguments: Arguments) -> dict[str, list[tuple[str, str]]]:
    """Return for each game the packages with a similar game, and their name for it.

    Raises:
        ConfigError: there is none, or the checkout of SocialJax or the interpreter cannot be used.
    """
    checkout, packages = arguments.socialjax, {}
    if checkout is not None:
        if not (checkout / "socialjax" / "registration.py").exists():
            raise ConfigError(f"socialjax is {str(checkout)!r}; allowed: a checkout of SocialJax.")
        packages["socialjax"] = SOCIALJAX_GAMES
    if has_jaxmarl(arguments.python):
        packages["jaxmarl"] = JAXMARL_GAMES
    peers = {
        game: [(package, names[game]) for package, names in packages.items() if game in names]
        for game in arguments.games
    }
    for game, found in peers.items():
        if not found:
            raise ConfigError(
                f"games has {game!r}, which no peer here plays; allowed: {', '.join(SOCIALJAX_GAMES)} with --socialjax; "
                f"{', '.join(JAXMARL_GAMES)} where --python can import JaxMARL."
            )
    return peers


def has_jaxmarl(python: str) -> bool:
    """Return whether an interpreter can import JaxMARL.

    Raises:
        ConfigError: there is no such interpreter.
    """
    try:
        find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('jaxmarl') is None)"
        return subprocess.run([python, "-c", find], check=False, close_fds=False).returncode == 0
    except OSError as error:
        raise ConfigError(f"python is {python!r}, which cannot be run: {error.strerror}.") from error


@contextlib.contextmanager
def running(package: str, name: str, num_envs: int, arguments: Arguments) -> Iterator[Workload]:
    """Start a package's game, and stop it on exit.

    Raises:
        ConfigError: it does not run.
    """
    num_agents, steps, pipe = arguments.num_agents, arguments.steps, subprocess.PIPE
    environment = dict(os.environ)
    if package == "socialjax" and arguments.socialjax is not None:
        environment["PYTHONPATH"] = str(arguments.socialjax.resolve())
    command = [arguments.python, str(WORKER), package, name, str(num_agents), str(num_envs), str(steps)]
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, close_fds=False
    ) as worker:
        requests, answers, complaints = worker.stdin, worker.stdout, worker.stderr
        assert requests and answers and complaints  # we asked for pipes

        def hear() -> dict:
            line = answers.readline()
            if not line:
                last = (complaints.read().strip().splitlines() or ["no message"])[-1]
                raise ConfigError(f"{package} does not run under {arguments.python}: {last}")
            return json.loads(line)

        def step() -> None:
            requests.write("\n")
            requests.flush()
            hear()

        try:
            said = hear()
            labels = {"game": name, "version": package, "num_envs": num_envs, "num_agents": num_agents}
            labels |= {"observation_shape": said["observation_shape"], "jax": said["jax"]}
            title = f"{package} {name}, {num_envs} envs"
            yield Workload(title, step, num_envs * steps, said["compile_seconds"], labels=labels)
        finally:
            worker.kill()
