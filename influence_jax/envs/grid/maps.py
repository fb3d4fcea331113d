"""Maps drawn as text.

A map is a sequence of equally long rows. ``'@'`` is a wall, ``'P'`` a cell where an agent may start, ``' '`` floor;
``'A'`` is an apple site of Harvest; Cleanup has apple sites ``'B'``, waste ``'H'``, clean river ``'R'`` and stream ``'S'``;
Box Trapped has the trapped agent's cell ``'T'`` and a door ``'D'``. A map needs no outer wall: nobody can leave it.
"""

from collections.abc import Sequence

import numpy as np

from influence_jax.settings import ConfigError

WALL, START, FLOOR, TRAPPED, DOOR = "@", "P", " ", "T", "D"

LETTER_MEANINGS = {
    WALL: "wall",
    START: "start cell",
    FLOOR: "floor",
    "A": "apple",
    "B": "apple site",
    "H": "waste",
    "R": "clean river",
    "S": "stream",
    TRAPPED: "cell of the trapped agent",
    DOOR: "door",
}

CLEANUP = (
    "@@@@@@@@@@@@@@@@@@",
    "@RRRRRR     BBBBB@",
    "@HHHHHH      BBBB@",
    "@RRRRRR     BBBBB@",
    "@RRRRR  P    BBBB@",
    "@RRRRR    P BBBBB@",
    "@HHHHH       BBBB@",
    "@RRRRR      BBBBB@",
    "@HHHHHHSSSSSSBBBB@",
    "@HHHHHHSSSSSSBBBB@",
    "@RRRRR   P P BBBB@",
    "@HHHHH   P  BBBBB@",
    "@RRRRRR    P BBBB@",
    "@HHHHHH P   BBBBB@",
    "@RRRRR       BBBB@",
    "@HHHH    P  BBBBB@",
    "@RRRRR       BBBB@",
    "@HHHHH  P P BBBBB@",
    "@RRRRR       BBBB@",
    "@HHHH       BBBBB@",
    "@RRRRR       BBBB@",
    "@HHHHH      BBBBB@",
    "@RRRRR       BBBB@",
    "@HHHH       BBBBB@",
    "@@@@@@@@@@@@@@@@@@",
)

HARVEST = (
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
    "@ P   P      A    P AAAAA    P  A P  @",
    "@  P     A P AA    P    AAA    A  A  @",
    "@     A AAA  AAA    A    A AA AAAA   @",
    "@ A  AAA A    A  A AAA  A  A   A A   @",
    "@AAA  A A    A  AAA A  AAA        A P@",
    "@ A A  AAA  AAA  A A    A AA   AA AA @",
    "@  A A  AAA    A A  AAA    AAA  A    @",
    "@   AAA  A      AAA  A    AAAA       @",
    "@ P  A       A  A AAA    A  A      P @",
    "@A  AAA  A  A  AAA A    AAAA     P   @",
    "@    A A   AAA  A A      A AA   A  P @",
    "@     AAA   A A  AAA      AA   AAA P @",
    "@ A    A     AAA  A  P          A    @",
    "@       P     A         P  P P     P @",
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
)

# For three agents and 100 steps: small enough to learn in minutes.
SMALL_CLEANUP = (
    "@@@@@@@@@@@",
    "@RHR   BBB@",
    "@HRH P BBB@",
    "@RHR   BBB@",
    "@RHH P BBB@",
    "@HRH   BBB@",
    "@RHR P BBB@",
    "@HRH   BBB@",
    "@@@@@@@@@@@",
)

SMALL_HARVEST = (
    "@@@@@@@@@@@",
    "@P A   A P@",
    "@ AAA AAA @",
    "@  A   A  @",
    "@    P    @",
    "@  A   A  @",
    "@ AAA AAA @",
    "@  A   A  @",
    "@@@@@@@@@@@",
)

BOX_TRAPPED = (
    "@@@@@@@@@@@@@",
    "@           @",
    "@     P   AA@",
    "@@@@AAP   AA@",
    "@@TDAAP   AA@",
    "@@@@AAP   AA@",
    "@     P   AA@",
    "@         AA@",
    "@@@@@@@@@@@@@",
)


def parse(layout: Sequence[str], letters: str) -> np.ndarray:
    """Return the map as ``U1[H,W]``, after checking that it is rectangular and uses only ``letters``.

    Raises:
        ConfigError: the map is empty or ragged, or contains an unknown letter.
    """
    if not layout or not layout[0]:
        raise ConfigError("layout is empty; give at least one row with at least one cell.")
    width = len(layout[0])
    for row, text in enumerate(layout):
        if len(text) != width:
            raise ConfigError(
                f"layout is ragged: row {row} has {len(text)} cells, row 0 has {width}; all rows must be equally long."
            )
        for column, letter in enumerate(text):
            if letter not in letters:
                allowed = ", ".join(f"{known!r} ({LETTER_MEANINGS[known]})" for known in letters)
                raise ConfigError(
                    f"layout holds the unknown letter {letter!r} at row {row}, column {column}; allowed: {allowed}."
                )
    return np.array([list(text) for text in layout])


def mask(drawing: np.ndarray, letters: str) -> np.ndarray:
    """Return bool[H,W]: whether each cell is drawn as one of ``letters``."""
    return np.isin(drawing, list(letters))


def columns(sites: np.ndarray) -> slice:
    """Return the range of columns that contains all of ``sites bool[H,W]``; the first column if there are none."""
    held = np.flatnonzero(sites.any(axis=0))
    return slice(int(held[0]), int(held[-1]) + 1) if len(held) else slice(0, 1)
