"""Does influence still help when returns are weighted by equality, R (1 - G)? (Fig. 16)

A point of a curve is the product of the mean return and the mean equality of the episodes that ended since the last one.
"""

import importlib
import pathlib

import tyro
from conditions import GAMES, RUNS, Game, Scale
from items import compared


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Compare the conditions of Fig. 1, 4 and 7 by their weighted returns.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    for item in ("fig1", "fig4", "fig7"):
        names = importlib.import_module(item).CONDITIONS
        compared("fig16", names, scale, games, out, metric="weighted_return")


if __name__ == "__main__":
    tyro.cli(main)
