"""``influence-jax render``: save one episode of the trained agents as a video."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from influence_jax.cli.options import check, parse, whole
from influence_jax.envs.grid.render import SUFFIXES
from influence_jax.runtime import run
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.settings import INT32_MAX, ConfigError


@dataclasses.dataclass(frozen=True)
class RenderOptions:
    """Play one episode with the trained agents and save it as a video."""

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run."""
    out: pathlib.Path
    """File to write, .gif or .mp4."""
    member: Annotated[int, *whole(0, INT32_MAX, "Member of the population that plays.")] = 0
    seed: Annotated[int, *whole(0, INT32_MAX, "Seed of the episode.")] = 0
    fps: Annotated[int, *whole(1, 1000, "Steps per second of video.")] = 15
    update: Annotated[
        int | None,
        *whole(0, INT32_MAX, "Checkpoint to load, by number of updates; default: the newest.", optional=True),
    ] = None
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Whether to import code outside the package that the run names."""


def main(arguments: list[str]) -> int:
    """Render an episode of a run."""
    options = parse(RenderOptions, arguments, "influence-jax render")
    options = dataclasses.replace(options, out=options.out.expanduser())
    if options.out.suffix not in SUFFIXES:
        raise ConfigError(f"out is {str(options.out)!r}; allowed: files that end in {' or '.join(SUFFIXES)}.")
    check(options)
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        if options.out.is_dir():
            raise OSError("it is a directory")
    except (OSError, ValueError) as error:
        raise ConfigError(f"out is {str(options.out)!r}, which cannot be written: {error}; allowed: files.") from error
    keep_compiled_programs()
    trained = run.load(options.directory, options.update, trust=options.trust)
    if options.member >= trained.config.seeds:
        raise ConfigError(f"member is {options.member}; allowed: 0 to {trained.config.seeds - 1}.")
    video = trained.trace(options.member, options.seed).video(fps=options.fps)
    try:
        video.save(options.out)
    except OSError as error:
        raise ConfigError(f"out is {str(options.out)!r}, which cannot be written: {error}; allowed: files.") from error
    print(f"one episode after {trained.update:,} updates: {options.out}")
    return 0
