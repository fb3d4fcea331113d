"""Runs beside one another: curves with intervals, tests and sizes of effects."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from influence_jax.analysis.curves import Curve, learning_curve, summary
from influence_jax.analysis.members import groups
from influence_jax.analysis.statistics import (
    CONFIDENCE,
    bootstrap_difference,
    hedges_g,
    iqm,
    permutation_test,
    probability_of_improvement,
    t_interval,
)
from influence_jax.analysis.tables import pandas, text_table
from influence_jax.settings import Choices, ConfigError, checked, nearest

SUMMARIES = ("final", "final_steps", "auc", "best")


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """Groups of members, each against the first; the unit is one member (a seed)."""

    column: str  # what is compared
    summary: str  # what each member's curve comes to, see `influence_jax.analysis.summary`
    confidence: float
    curves: dict[str, Curve]  # by group
    scores: dict[str, np.ndarray]  # f64[S] by group
    rows: list[dict[str, Any]]  # plain data, one row per group

    def table(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``, indexed by group; a `ConfigError` where pandas is not installed."""
        return pandas().DataFrame(self.rows).set_index("group")

    def curve_table(self) -> Any:
        """Return the curves as a tidy ``pandas.DataFrame``: group, environment steps, mean, low, high."""
        tables = [
            {"group": name, "env_steps": steps, "mean": mean, "low": low, "high": high}
            for name, curve in self.curves.items()
            for steps, mean, low, high in zip(curve.env_steps, curve.value, curve.low, curve.high, strict=True)
        ]
        return pandas().DataFrame(tables)

    def __repr__(self) -> str:
        intervals = f"{100 * self.confidence:g} % intervals, differences from {self.rows[0]['group']}"
        return f"{self.column}, {self.summary}; {intervals}\n{text_table(self.rows)}"


def compare(
    runs: Any,
    column: str = "collective_return",
    *,
    by: str | Sequence[str] | None = None,
    summarise: str = "final",
    window: int = 1,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Comparison:
    """Compare runs, each with the first of them.

    Rows: the mean with Student's interval, the interquartile mean, and for all but the first the difference of the means
    with its bootstrapped interval, the p-value of a permutation test over seeds (not corrected for how many are
    compared), Hedges' g and the probability that a seed is above one of the first's. Five seeds against five cannot give
    a p below .008.

    Args:
        runs: runs or their metrics: a sequence, or a mapping with names of your own. A run with ``by`` may stand alone.
        column: what is compared, ``[U,S]`` in ``metrics``.
        by: a setting or several; members that have them alike are a group, see `influence_jax.grid`. Name all that differ
            but the seed, or members with other settings pass for seeds.
        summarise: what a member's curve comes to: final, final_steps, auc or best.
        window: log points over which curves are smoothed, see `influence_jax.analysis.smoothed`.
        confidence: of the intervals.
        seed: of the resampling.

    Raises:
        ConfigError: a name is unknown, or there is nothing to compare.

    Example:
        >>> comparison = influence_jax.compare(runs)  # or compare(run, by="influence_weight")
        >>> comparison.rows[1]["group"], round(comparison.rows[1]["p"], 4)
        ('influence', 0.0079)
    """
    checked("summarise", summarise, Choices(SUMMARIES))
    curves, scores = {}, {}
    for name, metrics in groups(runs, by).items():
        steps, values = metrics["env_steps"][:, 0], values_of(metrics, column)
        curves[name] = learning_curve(steps, values, window, confidence)
        scores[name] = summary(steps, values)[summarise]
    first = next(iter(scores.values()))
    rows = []
    for number, (name, score) in enumerate(scores.items()):
        mean, low, high = t_interval(score, confidence)
        finite = score[np.isfinite(score)]
        row = {
            "group": name,
            "seeds": len(finite),
            "mean": float(mean),
            "low": float(low),
            "high": float(high),
            "iqm": float(iqm(finite)) if finite.size else float("nan"),
        }
        against = dict.fromkeys(("difference", "difference_low", "difference_high", "p", "g", "improves"), float("nan"))
        if number:
            difference = bootstrap_difference(score, first, confidence=confidence, seed=seed)
            against = {
                "difference": difference.value,
                "difference_low": difference.low,
                "difference_high": difference.high,
                "p": permutation_test(score, first, seed=seed),
                "g": hedges_g(score, first),
                "improves": probability_of_improvement(score, first),
            }
        rows.append(row | against)
    return Comparison(column, summarise, confidence, curves, scores, rows)


def values_of(metrics: Any, column: str) -> np.ndarray:
    """Return the column ``[U,S]``.

    Raises:
        ConfigError: there is none, or each agent has its own.
    """
    known = [name for name, values in metrics.items() if values.ndim == 2 and values.dtype.kind in "fi"]
    if column not in known:
        raise ConfigError(f"column is {column!r}; allowed: {', '.join(known)}.{nearest(column, known)}")
    return metrics[column]
