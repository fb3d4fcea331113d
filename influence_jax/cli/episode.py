"""What commands that play one episode of a run have in common."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from influence_jax.cli.options import whole
from influence_jax.evaluation.trace import Trace
from influence_jax.runtime import run
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.settings import INT32_MAX, ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemberOptions:
    """Which agents of a run play, and which episode."""

    member: Annotated[int, *whole(0, INT32_MAX, "Member of the population that plays.")] = 0
    seed: Annotated[int, *whole(0, INT32_MAX, "Seed of the episode.")] = 0
    update: Annotated[
        int | None,
        *whole(0, INT32_MAX, "Checkpoint to load, by number of updates; default: the newest.", optional=True),
    ] = None
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that the run names."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpisodeOptions(MemberOptions):
    """Which agents play, which episode, and where it is written."""

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run."""
    out: pathlib.Path
    """File to write."""


def loaded(directory: pathlib.Path, options: MemberOptions) -> run.Run:
    """Return the run in a directory, once it is clear that it has the member."""
    keep_compiled_programs()
    trained = run.load(directory, options.update, trust=options.trust)
    if options.member >= len(trained.members):
        raise ConfigError(f"member is {options.member}; allowed: 0 to {len(trained.members) - 1}.")
    return trained


def played(options: EpisodeOptions) -> tuple[run.Run, Trace]:
    """Return the run, and the episode that its agents play."""
    trained = loaded(options.directory, options)
    return trained, trained.trace(options.member, options.seed)
