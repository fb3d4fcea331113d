"""Metrics as tidy tables, and a run in one line."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.log_format import SHARED
from influence_jax.settings import ConfigError, counted, short_repr


def pandas() -> Any:
    """Import pandas.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ConfigError(
            "pandas, which tables need, is not installed; install it: pip install 'influence_jax[analysis]'."
        ) from None
    return pandas


def run_rows(metrics: Mapping[str, np.ndarray], members: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the columns of a tidy table, one row per member and log point, member after member.

    Args:
        metrics: ``{name: [U,S]}``, or ``[U,S,N]`` for metrics per agent, which become the columns ``name[0]`` to ``name[N-1]``.
        members: each member's number and settings, as in `influence_jax.Run.members`; settings per agent become such columns,
        too.
    """
    check(metrics, members)
    points = len(next(iter(metrics.values()))) if metrics else 0
    settings = {name: np.array([member[name] for member in members]) for name in (members[0] if members else ())}
    columns = _flat({name: np.repeat(values, points, axis=0) for name, values in settings.items()})
    recorded = {name: np.swapaxes(values, 0, 1).reshape(-1, *values.shape[2:]) for name, values in metrics.items()}
    return columns | _flat(recorded)


def check(metrics: Any, members: Any) -> None:
    """Refuse metrics that do not fit the members, and a metric with the name of a setting, which would need the same column."""
    if not isinstance(metrics, Mapping) or not all(np.ndim(x) >= 2 for x in metrics.values()):
        raise ConfigError(f"metrics is {short_repr(metrics)}; allowed: arrays [U,S] or [U,S,N] by their names.")
    if (
        not isinstance(members, Sequence)
        or not all(isinstance(member, Mapping) for member in members)
        or len({tuple(member) for member in members}) > 1
    ):
        raise ConfigError(f"members is {short_repr(members)}; allowed: a mapping for each member, of the same names.")
    wrong = {name: np.shape(x) for name, x in metrics.items() if np.shape(x)[1] != len(members)}
    if wrong or len({len(x) for x in metrics.values()}) > 1:
        shapes = wrong or {name: np.shape(x) for name, x in metrics.items()}
        raise ConfigError(f"metrics has the shapes {shapes}; allowed: [U,S] or [U,S,N] of {len(members)} members.")
    twice = sorted({*metrics} & {*(members[0] if members else ())})
    if twice:
        raise ConfigError(f"metrics has {', '.join(twice)}, which members have too; allowed: names of their own.")


def run_table(metrics: Mapping[str, np.ndarray], members: Sequence[Mapping[str, Any]]) -> Any:
    """Return `run_rows` as a ``pandas.DataFrame``.

    Raises:
        ConfigError: pandas is not installed.

    Example:
        >>> table = analysis.run_table(runs["alone"], [{"member": m, "seed": m} for m in range(5)])  # as run.table()
        >>> len(table)
        200
    """
    return pandas().DataFrame(run_rows(metrics, members))


def final_rows(metrics: Mapping[str, np.ndarray], members: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each member: its entry in ``members``, and the mean of each metric over the end of the run.

    The end is that of `influence_jax.analysis.summary`: the last 50 log points, or the last 5 % of fewer than 1000. A member
    that failed (``failed`` is 1) has NaN.

    Example:
        >>> rows = analysis.final_rows(runs["alone"], [{"member": m} for m in range(5)])
        >>> rows[3]["member"], len(rows)
        (3, 5)
    """
    from influence_jax.analysis.curves import scores  # here, because it imports scipy

    check(metrics, members)
    if "env_steps" not in metrics or not len(metrics["env_steps"]):
        raise ConfigError("metrics has no log points; allowed: those of a run that has some.")
    ends = {
        name: metrics[name][-1] if name == "failed" else scores(metrics, name)
        for name, values in metrics.items()
        if values.ndim == 2 and name not in SHARED
    }
    return [dict(about) | {name: float(x[member]) for name, x in ends.items()} for member, about in enumerate(members)]


def describe_run(name: str, metrics: Mapping[str, np.ndarray], members: int) -> str:
    """Return one line, ``Run harvest-moa, 4 members, 2.0M steps, return 312 +- 20, sight 0.41``.

    The return is the mean and standard deviation of the members' final returns; members that failed are counted and have none.
    Sight is the mean over all agents, and blind agents are counted.
    """
    from influence_jax.analysis.curves import BLIND, failed, final_sight, scores  # here, because it imports scipy

    parts = [f"Run {name}", counted(members, "member")]
    steps = int(metrics["env_steps"][-1, 0]) if len(metrics.get("env_steps", ())) else 0
    parts.append(f"{short_number(steps)} steps")
    if steps and "collective_return" in metrics:
        ends = scores(metrics, "collective_return")
        ends = ends[np.isfinite(ends)]
        if ends.size:
            digits = 0 if abs(ends.mean()) >= 10 else 1
            spread = f" +- {ends.std(ddof=1):.{digits}f}" if ends.size > 1 else ""
            parts.append(f"return {ends.mean():.{digits}f}{spread}")
    if steps and "agent_sight" in metrics:
        sight = final_sight(metrics)
        sight = sight[np.isfinite(sight)]  # a member that failed at the start has none
        blind = int(np.sum(sight < BLIND))
        if sight.size:
            parts.append(f"sight {sight.mean():.2f}")
        if blind:
            parts.append(f"{blind} of {sight.size} agents blind")
    broken = int(failed(metrics).sum()) if steps else 0
    if broken:
        parts.append(f"{broken} failed")
    return ", ".join(parts)


def short_number(number: float) -> str:
    """Return ``2.0M`` for 2,000,000."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:g}"


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as aligned text, with four digits per number."""
    if not rows:
        return ""
    cells = _cells(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def html_table(rows: Sequence[Mapping[str, Any]], caption: str, notes: Sequence[str] = ()) -> str:
    """Return rows as a table for notebooks, numbers with four digits, under a caption and above notes."""
    head, *body = ("".join(f"<td>{html.escape(x)}</td>" for x in line) for line in _cells(rows))
    lines = "".join(f"<tr>{line}</tr>" for line in body)
    below = "".join(f"<div>{html.escape(note)}</div>" for note in notes)
    return (
        f"<div>{html.escape(caption)}</div><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{below}"
    )


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the names of columns, and then their values row by row."""
    return [list(rows[0])] + [[f"{x:.4g}" if isinstance(x, float) else str(x) for x in row.values()] for row in rows]


def _flat(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Split every axis beyond the first into columns."""
    flat = {}
    for name, values in columns.items():
        if values.ndim == 1:
            flat[name] = values
        else:
            for index in np.ndindex(values.shape[1:]):
                flat[f"{name}[{','.join(map(str, index))}]"] = values[(slice(None), *index)]
    return flat
