"""Do agents that are influenced more earn more? (Section 5.1 of the paper.)

The paper correlates "influence and individual rewards" over 100 conditions and does not say what one point is. We compute both
readings: a condition (a run), and an agent within its condition. The paper's conclusion follows only if they agree, because
in the first reading, runs that learned anything at all have both more influence and more reward.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from influence_jax.analysis.arguments import generator, level, numbers, same_shape, whole
from influence_jax.analysis.statistics import CONFIDENCE, Estimate, nanmean, one_sided
from influence_jax.settings import ConfigError

FEWEST_WITHIN = 20  # conditions with FEWEST_AGENTS or more; with fewer, the interval of `within` is too narrow
FEWEST_AGENTS = 3


@dataclasses.dataclass(frozen=True)
class Correlation:
    """Correlation of influence received with individual return; C conditions, N agents."""

    across: Estimate  # Pearson's over conditions, of means over agents, with Fisher's interval
    across_rank: float  # Spearman's
    across_p: float  # from permuting conditions, two-sided
    across_given_weight: float  # partial, given each condition's influence weight; NaN without weights
    within: Estimate  # Pearson's over a condition's agents, mean over conditions, with Student's interval of Fisher's z
    within_p: float  # from permuting agents within conditions, two-sided
    agents_given_return: float  # partial over all agents, given the collective return of their condition
    notes: tuple[str, ...] = ()  # why a number is NaN, and what was left out


def influence_and_reward(
    received: ArrayLike,
    returns: ArrayLike,
    weights: ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Correlation:
    """Correlate the influence that agents ``received f[C,N]`` with their ``returns f[C,N]``, both means over episodes.

    ``weights f[C]`` are the conditions' influence weights, which may drive both. Conditions with values that are not finite are
    left out, and so are, within conditions, those whose agents are all equal. The correlation of a constant is NaN, as is its
    p; ``notes`` says so.

    Raises:
        ConfigError: shapes differ, or there are fewer than four conditions.

    Example:
        >>> found = analysis.influence_and_reward([[1, 2], [2, 3], [3, 4], [5, 6]], [[1, 2], [3, 4], [2, 3], [5, 6]])
        >>> round(found.across.value, 3), round(found.within.value, 3)
        (0.886, 1.0)
    """
    received, returns = numbers("received", received, "[C,N]"), numbers("returns", returns, "[C,N]")
    same_shape(received=received, returns=returns)
    draws, rng, confidence = whole("draws", draws), generator(seed), level(confidence)
    whole_rows = np.isfinite(received).all(axis=1) & np.isfinite(returns).all(axis=1)
    if weights is not None:
        weights = numbers("weights", weights, "[C]")
        if len(weights) != len(received):
            raise ConfigError(f"weights has {len(weights)} conditions and received {len(received)}; allowed: as many.")
        whole_rows &= np.isfinite(weights)
        weights = weights[whole_rows]
    left_out = np.flatnonzero(~whole_rows).tolist()
    notes = [f"conditions {left_out} are not finite and left out"] if left_out else []
    received, returns = received[whole_rows], returns[whole_rows]
    if len(received) < 4:
        raise ConfigError(f"received and returns have {len(received)} conditions that are finite; allowed: at least 4.")

    x, y = received.mean(axis=1), returns.mean(axis=1)
    across = _pearson(x, y)
    notes += [f"across: {name} does not vary" for name, z in (("received", x), ("returns", y)) if not _varies(z)]
    null_across = np.array([_pearson(rng.permutation(x), y) for _ in range(draws)])
    tail = stats.norm.ppf((1 + confidence) / 2) / np.sqrt(len(x) - 3)

    ours, theirs = _scored(received), _scored(returns)
    each = (ours * theirs).mean(axis=1)  # Pearson's of each condition
    each_finite = each[np.isfinite(each)]
    within = float(nanmean(each, axis=0))
    half = _error_of_z(each_finite, confidence) if received.shape[1] >= FEWEST_AGENTS else float("nan")
    if len(each_finite) < len(each):
        notes.append(f"within: {len(each) - len(each_finite)} conditions are left out, all of whose agents are alike")
    if np.isnan(half):
        notes.append(f"within: no interval below {FEWEST_WITHIN} conditions of {FEWEST_AGENTS} agents that differ")
    null_within = [nanmean((rng.permuted(ours, axis=1) * theirs).mean(axis=1), axis=0) for _ in range(draws)]
    collective = np.broadcast_to(returns.sum(axis=1, keepdims=True), returns.shape)
    return Correlation(
        across=_around(across, tail, confidence),
        across_rank=_spearman(x, y),
        across_p=one_sided(abs(across), np.abs(null_across)),
        across_given_weight=float("nan") if weights is None else partial_correlation(x, y, weights),
        within=_around(within, half, confidence),
        within_p=one_sided(abs(within), np.abs(null_within)),
        agents_given_return=partial_correlation(received, returns, collective),
        notes=tuple(notes),
    )


def partial_correlation(x: ArrayLike, y: ArrayLike, given: ArrayLike) -> float:
    """Return Pearson's correlation of the residuals of ``x`` and ``y`` after linear regression on ``given``."""
    if not _varies(np.ravel(given)):
        return _pearson(x, y)
    xy, xg, yg = _pearson(x, y), _pearson(x, given), _pearson(y, given)
    left = (1 - xg**2) * (1 - yg**2)
    return float((xy - xg * yg) / np.sqrt(left)) if left > 1e-12 else float("nan")


def _pearson(x: ArrayLike, y: ArrayLike) -> float:
    x, y = np.ravel(x).astype(float), np.ravel(y).astype(float)
    return float(np.corrcoef(x, y)[0, 1]) if _varies(x) and _varies(y) else float("nan")


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    if not (_varies(x) and _varies(y)):
        return float("nan")
    found: Any = stats.spearmanr(x, y)  # whose class scipy makes when it is imported
    return float(found.statistic)


def _varies(x: np.ndarray) -> bool:
    return bool(np.ptp(x) > 1e-12 * np.abs(x).max(initial=0.0))  # means of equal numbers vary by rounding


def _scored(values: np.ndarray) -> np.ndarray:
    """Return z-scores over agents, NaN if all agents are equal."""
    spread = np.array([row.std() if _varies(row) else np.nan for row in values])[:, None]
    return (values - values.mean(axis=1, keepdims=True)) / spread


def _error_of_z(each: np.ndarray, confidence: float) -> float:
    """Return the half-width of Student's interval of the mean of Fisher's z over conditions."""
    if len(each) < FEWEST_WITHIN:
        return float("nan")
    error = stats.t.ppf((1 + confidence) / 2, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    return float(error / max(1 - each.mean() ** 2, 1e-12))


def _around(correlation: float, half: float, confidence: float) -> Estimate:
    """Return a correlation with the interval that extends ``half`` to either side in Fisher's z."""
    z = np.arctanh(np.clip(correlation, -1 + 1e-12, 1 - 1e-12))
    return Estimate(correlation, float(np.tanh(z - half)), float(np.tanh(z + half)), confidence)
