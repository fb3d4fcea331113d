"""How do two saved results of the same question differ, row by row, and is the difference larger than the noise?"""

import dataclasses
import json
import pathlib

import rich.box
import tyro
from rich.console import Console
from rich.table import Table

from influence_jax.config import ConfigError

SPEEDS = ("slowest_env_steps_per_second", "median_env_steps_per_second", "fastest_env_steps_per_second")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to compare."""

    before: tyro.conf.Positional[pathlib.Path]
    """A result that a question wrote under `--out`."""
    after: tyro.conf.Positional[pathlib.Path]
    """Another result of the same question."""


def main(arguments: Arguments) -> None:
    """Print the rows that both results have, with their ratio and whether the ranges of their calls are disjoint."""
    before, after = read(arguments.before), read(arguments.after)
    if before["question"] != after["question"]:
        raise ConfigError(
            f"the results answer {before['question']!r} and {after['question']!r}; allowed: two of the same question."
        )
    rows = compare(before, after)
    if not rows:
        raise ConfigError(f"{arguments.before} and {arguments.after} have no speed in common; allowed: two that do.")
    console, table = Console(), Table(title=before["question"], box=rich.box.SIMPLE, pad_edge=False)
    table.add_column("", overflow="fold")
    for column in ("before", "after", "ratio", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for name, old, new, apart in rows:
        table.add_row(name, f"{old:,.4g}", f"{new:,.4g}", f"{new / old:.3f}", "" if apart else "within the spread")
    console.print(table)
    for fact in ("device", "processor", "cores_used", "jax", "load"):
        old, new = before["machine"].get(fact), after["machine"].get(fact)
        if old != new:
            console.print(f"{fact}: {old} before, {new} after")


def read(path: pathlib.Path) -> dict:
    """Return a saved result, whose rows have names and speeds or a compiler's estimates."""
    try:
        result = json.loads(path.read_text())
    except (OSError, ValueError):
        result = None
    if not isinstance(result, dict) or not {"question", "machine", "rows"} <= result.keys():
        raise ConfigError(
            f"{str(path)!r} holds no result with rows; allowed: a .json file that a question wrote with --out."
        )
    return result


def compare(before: dict, after: dict) -> list[tuple[str, float, float, bool]]:
    """Return ``(name, before, after, ranges are disjoint)`` for every row that both have, with medians or estimates."""
    old, new = speeds(before), speeds(after)
    return [
        (name, median, new[name][1], new[name][0] > high or new[name][2] < low)
        for name, (low, median, high) in old.items()
        if name in new
    ]


def speeds(result: dict) -> dict[str, tuple[float, float, float]]:
    """Return for each row the speed of the slowest, the median and the fastest call, or three times the estimate."""
    found = {}
    for row in result["rows"]:
        name = ", ".join(row[part] for part in ("target", "name") if part in row)
        if "per_env_step" in row:
            found[name] = (row["per_env_step"],) * 3
        elif SPEEDS[0] in row:
            found[name] = tuple(row[speed] for speed in SPEEDS)
    return found
