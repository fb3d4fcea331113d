"""``influence-jax play``: a person plays in the terminal, key by key."""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from typing import Annotated, Literal, TextIO

import tyro

from influence_jax import envs
from influence_jax.cli.episode import MemberOptions, loaded
from influence_jax.cli.options import check, parse, whole
from influence_jax.envs import Cleanup, Environment, Harvest, scripted
from influence_jax.evaluation.by_hand import QUIT, Session, keys_of
from influence_jax.evaluation.policy import Policy
from influence_jax.evaluation.seating import Player
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.runtime.progress import Terminal
from influence_jax.settings import INT32_MAX, ConfigError, is_path, nearest

OTHERS = {  # scripted players, and the games that they know
    "uniform": (scripted.uniform, (Environment,)),
    "greedy": (scripted.greedy, (Cleanup, Harvest)),
    "cleaner": (scripted.cleaner, (Cleanup,)),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayOptions(MemberOptions):
    """Play yourself, key by key, among scripted players or the agents of a run; the keys are shown under the map.

    Where input is not a terminal, its characters are the keys.
    """

    where: tyro.conf.Positional[str]
    """A game, whose other agents are scripted, or the directory of a run, whose agents play in their own game."""
    agent: Annotated[int, *whole(0, INT32_MAX, "The agent that you are.")] = 0
    steps: Annotated[int | None, *whole(1, INT32_MAX, "Steps after which to stop; default: the horizon.", True)] = None
    others: Literal["uniform", "greedy", "cleaner"] | None = None
    """Scripted players: random actions (the default), or those that walk to apples (Cleanup and Harvest) or clean (Cleanup)."""


def main(arguments: list[str]) -> int:
    """Let a person play until the end of the episode, or until told to quit."""
    options = parse(PlayOptions, arguments, "influence-jax play")
    check(options)
    others, env = _company(options)
    session, console = Session(others, env, options.agent, options.seed), Terminal()
    keys, steps = keys_of(env.spec.action_names), env.spec.horizon if options.steps is None else options.steps
    with key_by_key(sys.stdin):
        while True:
            console.clear()
            console.print(session.picture(), soft_wrap=True)
            if session.over or session.time >= steps:
                return 0
            while (key := sys.stdin.read(1)) not in keys:
                if key in (QUIT, ""):  # the empty text is the end of a file
                    return 0
            session.step(keys[key])


def _company(options: PlayOptions) -> tuple[Policy | Player, Environment]:
    """Return the others, and the game."""
    if envs.without_version(options.where)[0] not in envs.registered() and not is_path(options.where):
        if not pathlib.Path(options.where).exists():
            games = list(envs.registered())
            allowed = f"{', '.join(games)} or the directory of a run"
            raise ConfigError(f"where is {options.where!r}; allowed: {allowed}.{nearest(options.where, games)}")
        if options.others is not None:
            raise ConfigError(f"others is {options.others!r} with a run, whose agents are the others; leave it out.")
        policy = loaded(pathlib.Path(options.where), options).policy(options.member)
        return policy, policy.learner.env
    for name, usual in (("member", 0), ("update", None), ("trust", False)):
        if (given := getattr(options, name)) != usual:
            raise ConfigError(
                f"{name} is {given!r} with a game, which has no members; allowed: the directory of a run."
            )
    keep_compiled_programs()
    env, (player, known) = envs.make(options.where), OTHERS[options.others or "uniform"]
    if not isinstance(env, known):
        games = " and ".join(game.__name__ for game in known)
        raise ConfigError(f"others is {options.others!r}, which knows {games} only; allowed in other games: uniform.")
    return player, env


@contextlib.contextmanager
def key_by_key(source: TextIO) -> Iterator[None]:
    """Let a terminal hand over each key at once and unseen, and restore it in the end, whatever happens."""
    if not source.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(source)
    try:
        tty.setcbreak(source)
        yield
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
