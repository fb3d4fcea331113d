"""Does a reward for influence in a model of the others help, and is it influence that helps? (Fig. 7)"""

import pathlib

import tyro
from conditions import GAMES, RUNS, Game, Scale
from items import compared

# Treatment, ablation, baseline, and the influence of another environment in place of one's own.
CONDITIONS = ("modelled", "modelled, unpaid", "unpaid", "modelled, shuffled")


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, blocks: int = 1, out: pathlib.Path = RUNS) -> None:
    """Train the conditions or read them, and compare their returns.

    Args:
        scale: as in conditions.py.
        games: the games.
        blocks: how many blocks of the scale's seeds are compared.
        out: directory of the runs.
    """
    compared("fig7", CONDITIONS, scale, games, out, blocks)


if __name__ == "__main__":
    tyro.cli(main)
