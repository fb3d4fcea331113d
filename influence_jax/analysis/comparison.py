"""Comparing runs: curves with intervals, tests and effect sizes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from influence_jax.analysis.arguments import text
from influence_jax.analysis.curves import Curve, failed, learning_curve
from influence_jax.analysis.curves import scores as scores_of
from influence_jax.analysis.members import groups
from influence_jax.analysis.statistics import (
    CONFIDENCE,
    hedges_g,
    iqm,
    percent,
    permutation_test,
    probability_of_improvement,
    t_interval,
    welch_interval,
)
from influence_jax.analysis.tables import html_table, pandas, text_table
from influence_jax.settings import Choices, ConfigError, checked, nearest, short_repr

SUMMARIES = ("final", "final_steps", "auc", "best")
AGAINST = (
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "g",
    "improves",
)  # a row's entries for the first group


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """A comparison of groups of members with the first group, from `influence_jax.compare`; the unit is one member (a seed)."""

    metric: str
    summary: str  # how a member's curve is summarised, see `influence_jax.analysis.summary`
    confidence: float
    curves: dict[str, Curve]  # by group
    scores: dict[str, np.ndarray]  # f64[S] by group
    rows: list[dict[str, Any]]  # plain data, one row per group
    notes: tuple[str, ...] = ()  # why numbers are NaN, and which members were left out

    def table(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``, indexed by group.

        Raises:
            ConfigError: pandas is not installed.
        """
        return pandas().DataFrame(self.rows).set_index("group")

    def curve_table(self) -> Any:
        """Return the curves as a tidy ``pandas.DataFrame``: group, environment steps, mean, low, high."""
        tables = [
            {"group": name, "env_steps": steps, "mean": mean, "low": low, "high": high}
            for name, curve in self.curves.items()
            for steps, mean, low, high in zip(curve.env_steps, curve.value, curve.low, curve.high, strict=True)
        ]
        return pandas().DataFrame(tables)

    @property
    def _caption(self) -> str:
        intervals = f"{percent(self.confidence)} intervals, differences from {self.rows[0]['group']}"
        return f"{self.metric}, {self.summary}; {intervals}"

    def __repr__(self) -> str:
        return "\n".join([self._caption, text_table(self.rows), *self.notes])

    def _repr_html_(self) -> str:
        return html_table(self.rows, self._caption, self.notes)


def compare(
    runs: Any,
    metric: str = "collective_return",
    *,
    by: str | Sequence[str] | None = None,
    summarise: str = "final",
    window: int = 1,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Comparison:
    """Compare groups of runs with the first of them.

    Each row has the mean with Student's interval and the interquartile mean. All but the first also have the difference of
    means with Welch's interval, the p-value of a permutation test over seeds (not corrected for the number of groups), Hedges'
    g and the probability of improvement over a seed of the first group. Five seeds against five cannot give a p below .008. A
    member that failed has no score and is counted in ``notes``.

    Args:
        runs: runs, sweeps, directories of either, or metrics: a sequence, or a mapping with names of your own. A single sweep
            is compared by trial, and a single run by ``by``.
        metric: the metric to compare, ``[U,S]`` in ``metrics``.
        by: one or more settings; members with equal values form a group, see `influence_jax.grid`. Name all settings that
            differ, or members with other settings pass for seeds.
        summarise: how to summarise a member's curve: final, final_steps, auc or best.
        window: number of log points to smooth curves over, see `influence_jax.analysis.smoothed`.
        confidence: level of the intervals.
        seed: of the permutations.

    Raises:
        ConfigError: a name is unknown, or there is nothing to compare.

    Example:
        >>> comparison = influence_jax.compare(runs)  # or compare(run, by="influence_weight")
        >>> comparison.rows[1]["group"], round(comparison.rows[1]["p"], 4)
        ('influence', 0.0079)
    """
    checked("summarise", text("summarise", summarise), Choices(SUMMARIES))
    curves, scores, notes = {}, {}, []
    for name, metrics in groups(runs, by).items():
        values = values_of(metrics, metric)
        curves[name] = learning_curve(metrics["env_steps"][:, 0], values, window, confidence)
        scores[name] = scores_of(metrics, metric, summarise)
        notes += _missing(name, scores[name], failed(metrics))
    notes += _unequal(curves)
    first = next(iter(scores.values()))
    rows = []
    for name, score in scores.items():
        against = _against(first, score, confidence, seed) if rows else dict.fromkeys(AGAINST, float("nan"))
        rows.append({"group": name} | _alone(score, confidence) | against)
    return Comparison(metric, summarise, confidence, curves, scores, rows, tuple(notes))


def _missing(name: str, score: np.ndarray, broken: np.ndarray) -> list[str]:
    """Return notes on a group's members without score, and on what cannot be computed from too few."""
    notes, count = [], np.isfinite(score).sum()
    if broken.any():
        notes.append(f"{name}: {broken.sum()} of {len(broken)} members failed and have no score.")
    if count < 2:
        notes.append(f"{name}: {count or 'no'} seed with a score, from which there is no interval and no p.")
    return notes


def _unequal(curves: dict[str, Curve]) -> list[str]:
    """Return notes on how far each group has come, unless all are equally far."""
    ends = {name: float(np.nanmax(curve.env_steps)) for name, curve in curves.items()}
    if len(set(ends.values())) < 2:
        return []
    said_ends = ", ".join(f"{name} {steps:,.0f}" for name, steps in ends.items())
    return [f"not all have come equally far; environment steps at the last log point: {said_ends}."]


def _alone(score: np.ndarray, confidence: float) -> dict[str, Any]:
    """Return a row's entries for a group by itself."""
    estimate, finite = t_interval(score, confidence), score[np.isfinite(score)]
    return {
        "seeds": len(finite),
        "mean": float(estimate.value),
        "low": float(estimate.low),
        "high": float(estimate.high),
        "iqm": float(iqm(finite)) if finite.size else float("nan"),
    }


def _against(first: np.ndarray, score: np.ndarray, confidence: float, seed: int) -> dict[str, float]:
    """Return a row's entries for a group compared with the first."""
    difference = welch_interval(score, first, confidence)
    return {
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "p": permutation_test(score, first, seed=seed),
        "g": hedges_g(score, first),
        "improves": probability_of_improvement(score, first),
    }


def values_of(metrics: Any, metric: str, argument: str = "metric") -> np.ndarray:
    """Return a metric ``[U,S]``.

    Raises:
        ConfigError: there is no such metric, or it has values per agent.
    """
    known = [name for name, values in metrics.items() if values.ndim == 2 and values.dtype.kind in "fi"]
    if not isinstance(metric, str) or metric not in known:
        raise ConfigError(
            f"{argument} is {short_repr(metric)}; allowed: {', '.join(known)}.{nearest(str(metric), known)}"
        )
    return metrics[metric]
