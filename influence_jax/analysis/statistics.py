"""Intervals, tests and effect sizes over seeds; the unit is always one run, never one log point of it.

Values that are not finite are left out. Tests and resampling are scipy's; what is averaged over several tasks is so as
in Agarwal et al. (2021), *Deep Reinforcement Learning at the Edge of the Statistical Precipice*.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.995  # the paper's


class Estimate(NamedTuple):
    """A value and its confidence interval; numbers, or arrays of one shape."""

    value: Any
    low: Any
    high: Any

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


class Measured(NamedTuple):
    """A number beside what comes out where there is nothing to find."""

    value: float
    null_mean: float
    null_deviation: float
    z: float  # (value - null_mean) / null_deviation, NaN where the null does not vary
    p: float  # how often the null gives so much or more, at least 1 / (draws + 1)

    def __str__(self) -> str:
        return f"{self.value:.4g} (null {self.null_mean:.4g} +- {self.null_deviation:.2g}, p = {self.p:.2g})"


def t_interval(values: np.ndarray, confidence: float = CONFIDENCE, axis: int = 0) -> Estimate:
    """Return the mean of ``values`` along ``axis`` with Student's interval, NaN from fewer than two values.

    With five seeds and 99.5 % its half-width is 2.50 standard deviations.

    Example:
        >>> print(analysis.t_interval([1, 2, 3, 4, 5]))
        3 [-0.9581, 6.958]
    """
    values = _finite(values)
    count = np.isfinite(values).sum(axis=axis)
    mean, deviation = nanmean(values, axis), _nandeviation(values, axis)
    half = stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) * deviation / np.sqrt(np.maximum(count, 1))
    return Estimate(mean, mean - half, mean + half)


def pooled_interval(curves: np.ndarray, window: int = 200, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of the last ``window`` points of all seeds at each point of ``curves f[U,S]``, ``[U]``, with an interval.

    This is what the paper's bands ("computed within a sliding window of 200") may be. Points of one run are no
    independent draws, so it is far too narrow; show it only to compare with the paper, and say so.

    Example:
        >>> narrow = analysis.pooled_interval(runs["alone"]["collective_return"])
        >>> narrow.low.shape
        (40,)
    """
    curves = _finite(curves)
    pooled = [curves[max(0, u + 1 - window) : u + 1].ravel() for u in range(len(curves))]
    return Estimate(*np.array([t_interval(points, confidence) for points in pooled]).reshape(-1, 3).T)


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Estimate:
    """Return a share with Wilson's interval, such as that of the trajectories in which a box was opened.

    Example:
        >>> print(analysis.wilson_interval(88, 100))
        0.88 [0.8019, 0.93]
    """
    low, high = stats.binomtest(int(successes), int(trials)).proportion_ci(confidence, method="wilson")
    return Estimate(successes / trials, low, high)


def iqm(scores: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Return the mean of the middle half of ``scores`` (interquartile mean), of all of them together by default.

    Example:
        >>> float(analysis.iqm([-100, 1, 2, 3, 4, 5, 6, 100]))
        3.5
    """
    return stats.trim_mean(np.asarray(scores, float), 0.25, axis=axis)


def stratified_bootstrap(
    scores: np.ndarray,
    statistic: Callable[[np.ndarray], Any] = iqm,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return ``statistic`` of ``scores f[S]`` or ``f[S,M]`` (seeds, tasks) with its percentile interval.

    Each resample draws S seeds with replacement for each task on its own, and ``statistic`` is given its scores,
    ``[S,M]``. With fewer than some ten seeds the interval is too narrow; `t_interval` is not.

    Example:
        >>> scores = np.arange(20.0).reshape(10, 2)  # ten seeds of two tasks
        >>> print(analysis.stratified_bootstrap(scores))
        9.5 [6.1, 12.9]
    """
    scores = np.asarray(scores, float)
    scores = scores[:, None] if scores.ndim == 1 else scores
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(scores), size=(resamples, *scores.shape))
    values = [statistic(np.take_along_axis(scores, indices, axis=0)) for indices in drawn]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return Estimate(statistic(scores), low, high)


def bootstrap_difference(
    x: np.ndarray,
    y: np.ndarray,
    statistic: Callable[..., Any] = np.mean,
    confidence: float = CONFIDENCE,
    resamples: int = 9999,
    seed: int = 0,
) -> Estimate:
    """Return ``statistic(x) - statistic(y)`` with its percentile interval; each group of seeds is resampled on its own.

    ``statistic(values, axis)`` is one such as `numpy.mean` or `iqm`. The bounds are NaN for a group of fewer than two.

    Example:
        >>> print(analysis.bootstrap_difference([10, 12], [1, 1]))
        10 [9, 11]
    """
    x, y = _one_group(x), _one_group(y)
    if min(len(x), len(y)) < 2:
        difference = statistic(x, axis=-1) - statistic(y, axis=-1) if min(len(x), len(y)) else np.nan
        return Estimate(float(difference), np.nan, np.nan)
    rng = np.random.default_rng(seed)
    values = [statistic(group[rng.integers(len(group), size=(resamples, len(group)))], axis=-1) for group in (x, y)]
    low, high = np.quantile(values[0] - values[1], [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(statistic(x, axis=-1) - statistic(y, axis=-1)), float(low), float(high))


def permutation_test(
    x: np.ndarray,
    y: np.ndarray,
    statistic: Callable[..., Any] = np.mean,
    resamples: int = 9999,
    seed: int = 0,
) -> float:
    """Return the two-sided p-value of ``statistic(x) - statistic(y)`` if it did not matter which seed is in which group.

    All exchanges are tried where there are no more than ``resamples``; five seeds against five cannot give less than
    2/252 = .008. NaN where a group has fewer than two seeds.

    Example:
        >>> round(analysis.permutation_test([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]), 3)
        0.008
    """
    x, y = _one_group(x), _one_group(y)
    if min(len(x), len(y)) < 2:
        return float("nan")

    def difference(x, y, axis):
        return statistic(x, axis=axis) - statistic(y, axis=axis)

    rng = np.random.default_rng(seed)
    return float(stats.permutation_test((x, y), difference, vectorized=True, n_resamples=resamples, rng=rng).pvalue)


def hedges_g(x: np.ndarray, y: np.ndarray) -> float:
    """Return the difference of the means in pooled standard deviations, corrected for small groups (Hedges 1981).

    Example:
        >>> round(analysis.hedges_g([3, 4, 5], [1, 2, 3]), 2)
        1.6
    """
    x, y = _one_group(x), _one_group(y)
    freedom = len(x) + len(y) - 2
    if min(len(x), len(y)) < 2:
        return float("nan")
    pooled = np.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / freedom)
    return float((1 - 3 / (4 * freedom - 1)) * (x.mean() - y.mean()) / pooled) if pooled > 0 else float("nan")


def probability_of_improvement(x: np.ndarray, y: np.ndarray) -> float:
    """Return how often a seed of ``x`` is above one of ``y``, ties counted half: .5 where nothing differs (Agarwal et al.).

    Example:
        >>> analysis.probability_of_improvement([1, 3], [1, 2])
        0.625
    """
    x, y = _one_group(x), _one_group(y)
    return float(np.mean((np.sign(x[:, None] - y) + 1) / 2)) if min(len(x), len(y)) else float("nan")


def against_null(value: float, draws: Sequence[float]) -> Measured:
    """Compare a value with its ``draws`` under a null."""
    draws = np.asarray(draws, float)
    mean, deviation = float(draws.mean()), float(draws.std(ddof=1))
    z = (value - mean) / deviation if deviation > 0 else float("nan")
    return Measured(value, mean, deviation, z, float((1 + np.sum(draws >= value)) / (1 + len(draws))))


def _one_group(values: np.ndarray) -> np.ndarray:
    values = _finite(values).ravel()
    return values[np.isfinite(values)]


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), values, np.nan)


def nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Average what is finite; NaN where nothing is, of which NumPy would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(_finite(values), axis=axis)


def _nandeviation(values: np.ndarray, axis: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanstd(values, axis=axis, ddof=1)
