"""Does a reward for influence on those who see one's action help, and is it influence that helps? (Fig. 1)"""

import pathlib

import tyro
from conditions import GAMES, RUNS, Game, Scale
from items import compared

# Treatment, ablation, baseline, and the influence of another environment in place of one's own.
CONDITIONS = ("basic", "visible actions", "unpaid", "basic, shuffled")


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, blocks: int = 1, out: pathlib.Path = RUNS) -> None:
    """Train the conditions or read them, and compare their returns.

    Args:
        scale: as in conditions.py.
        games: the games.
        blocks: how many blocks of the scale's seeds are compared.
        out: directory of the runs.
    """
    compared("fig1", CONDITIONS, scale, games, out, blocks)


if __name__ == "__main__":
    tyro.cli(main)
