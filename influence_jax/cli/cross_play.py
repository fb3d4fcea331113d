"""``influence-jax cross-play``: let agents of runs play among one another."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from influence_jax.cli.options import check, parse, whole
from influence_jax.cli.output import FIGURES, check_out, save
from influence_jax.settings import INT32_MAX


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossPlayOptions:
    """Let one agent of each run play among the agents of each run, and print what it and the others return."""

    directories: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Directories of runs."""
    episodes: Annotated[int, *whole(1, 10**6, "Episodes of each pair of runs and seed.")] = 20
    seed: Annotated[int, *whole(0, INT32_MAX, "Seed of the games, which are the same for every pair.")] = 0
    out: pathlib.Path | None = None
    """File for a figure, .png, .svg or .pdf; default: none."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that runs name."""


def main(arguments: list[str]) -> int:
    """Print the returns of every pair, and draw them."""
    options = parse(CrossPlayOptions, arguments, "influence-jax cross-play")
    check(options)
    if options.out:
        check_out(options.out, FIGURES)
    from influence_jax.analysis.labels import distinct
    from influence_jax.evaluation.cross_play import cross_play
    from influence_jax.runtime import run
    from influence_jax.runtime.compilation import keep_compiled_programs

    keep_compiled_programs()
    runs = [run.load(path, trust=options.trust) for path in options.directories]
    names = distinct([str(path) for path in options.directories])
    matrix = cross_play(dict(zip(names, runs, strict=True)), num_episodes=options.episodes, seed=options.seed)
    print(matrix)
    if options.out:
        from influence_jax.analysis.figures import plot_cross_play

        save(plot_cross_play(matrix), options.out)
        print(options.out)
    return 0
