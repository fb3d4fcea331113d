"""Intervals, tests and effect sizes over seeds; the unit is always one run, never one of its log points.

Values that are not finite are left out. What cannot be computed, such as the interval of one seed, is NaN, and so is its p.
``docs/analysis.md`` lists the coverage of each interval in simulation.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from influence_jax.analysis.arguments import function, generator, level, numbers, random_seed, whole
from influence_jax.settings import ConfigError

CONFIDENCE = 0.95
FEWEST_OF_IQM = 6  # seeds; with fewer, resamples too often have no spread in the middle half


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval; numbers, or arrays of one shape."""

    value: Any
    low: Any
    high: Any
    confidence: float = CONFIDENCE
    note: str = ""  # why a number is NaN

    def __str__(self) -> str:
        shown = f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] ({percent(self.confidence)} interval)"
        return f"{shown}: {self.note}" if self.note else shown


@dataclasses.dataclass(frozen=True)
class Measured:
    """A number with its null distribution."""

    value: float
    null_mean: float
    null_std: float  # standard deviation of the draws
    z: float  # (value - null_mean) / null_std, NaN if the null is constant
    p: float  # share of the null that is at least value, at least 1 / (draws + 1); NaN if value is
    note: str = ""  # why a number is NaN

    def __str__(self) -> str:
        shown = f"{self.value:.4g} (null {self.null_mean:.4g} +- {self.null_std:.2g}, p = {self.p:.2g})"
        return f"{shown}: {self.note}" if self.note else shown


def percent(confidence: float) -> str:
    """Return a level in percent: ``95 %`` for .95."""
    return f"{100 * confidence:.6g} %"


def t_interval(values: ArrayLike, confidence: float = CONFIDENCE, axis: int = 0) -> Estimate:
    """Return the mean of ``values`` along ``axis`` with Student's interval, NaN for fewer than two values.

    With five seeds and 95 %, its half-width is 1.24 standard deviations.

    Example:
        >>> print(analysis.t_interval([1, 2, 3, 4, 5]))
        3 [1.037, 4.963] (95 % interval)
    """
    values, confidence = _finite(numbers("values", values, "[S,...]", empty=True)), level(confidence)
    axis = whole("axis", axis, -values.ndim, values.ndim - 1)
    count = np.isfinite(values).sum(axis=axis)
    mean, std = nanmean(values, axis), _nanstd(values, axis)
    half = stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) * std / np.sqrt(np.maximum(count, 1))
    note = "" if np.all(count > 1) else "no interval from fewer than two values"
    return Estimate(mean, mean - half, mean + half, confidence, note)


def welch_interval(x: ArrayLike, y: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Return the difference of the means of two groups of seeds with Welch's interval, which allows for unequal variances.

    The interval is NaN if a group has fewer than two.

    Example:
        >>> print(analysis.welch_interval([10, 12, 14], [1, 3, 2]))
        10 [5.845, 14.16] (95 % interval)
    """
    x, y, confidence = _one_group("x", x), _one_group("y", y), level(confidence)
    if min(len(x), len(y)) < 2:
        difference = x.mean() - y.mean() if min(len(x), len(y)) else np.nan
        return Estimate(float(difference), np.nan, np.nan, confidence, "no interval from fewer than two values a group")
    parts = np.array([x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)])
    total = parts.sum()
    shares = parts / total if total > 0 else np.array([0.5, 0.5])
    freedom = 1 / (shares**2 / [len(x) - 1, len(y) - 1]).sum()  # Welch and Satterthwaite
    half = stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(total)
    difference = float(x.mean() - y.mean())
    return Estimate(difference, float(difference - half), float(difference + half), confidence)


def wilson_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """Return a proportion with Wilson's interval, such as the share of trajectories in which a box was opened.

    Example:
        >>> print(analysis.wilson_interval(88, 100))
        0.88 [0.8019, 0.93] (95 % interval)
    """
    trials = whole("trials", trials)
    successes, confidence = whole("successes", successes, 0, trials), level(confidence)
    low, high = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return Estimate(successes / trials, float(low), float(high), confidence)


def iqm(scores: ArrayLike, axis: int | None = None) -> np.ndarray:
    """Return the interquartile mean of ``scores``, the mean of their middle half, over all of them together by default.

    A quarter of the scores, rounded down, is left out at either end (Agarwal et al. 2021, *Deep Reinforcement Learning at the
    Edge of the Statistical Precipice*).

    Example:
        >>> float(analysis.iqm([-100, 1, 2, 3, 4, 5, 6, 100]))
        3.5
    """
    scores = _finite(numbers("scores", scores, "[S,...]", empty=True))
    axis = axis if axis is None else whole("axis", axis, -scores.ndim, scores.ndim - 1)
    values = np.sort(scores.ravel() if axis is None else np.moveaxis(scores, axis, -1), axis=-1)  # NaN sorts last
    count = np.isfinite(values).sum(axis=-1, keepdims=True)
    place = np.arange(values.shape[-1])
    middle = (place >= count // 4) & (place < count - count // 4)
    return nanmean(np.where(middle, values, np.nan), axis=-1)


def iqm_interval(scores: ArrayLike, confidence: float = CONFIDENCE, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Return the interquartile mean of ``scores f[S]`` or ``f[S,M]`` (seeds, tasks) with a studentised bootstrap interval.

    Scores of all tasks are pooled. Each resample draws seeds with replacement for each task separately (Agarwal et al. 2021),
    and is studentised by its own standard error, from the Winsorised variance (Tukey and McLaughlin 1963); with so few seeds,
    percentile intervals are far too narrow. The interval is NaN if a task has fewer than six seeds, or too few for the level.

    Example:
        >>> scores = np.arange(20.0).reshape(10, 2)  # ten seeds of two tasks
        >>> print(analysis.iqm_interval(scores))
        9.5 [4.883, 14.08] (95 % interval)
    """
    scores = _finite(numbers("scores", scores, "[S,...]", empty=True))
    if scores.ndim > 2:
        raise ConfigError(f"scores has shape {list(scores.shape)}; allowed: numbers [S] or [S,M].")
    confidence, resamples, seed = level(confidence), whole("resamples", resamples, 100), random_seed(seed)
    scores = scores[:, None] if scores.ndim == 1 else scores
    tasks = [task[np.isfinite(task)] for task in scores.T]
    value, rng = float(iqm(scores)), np.random.default_rng(seed)
    few = min(map(len, tasks), default=0)
    if few < FEWEST_OF_IQM:
        note = f"no interval of an interquartile mean from {few} seeds, {FEWEST_OF_IQM} are needed"
        return Estimate(value, np.nan, np.nan, confidence, note)
    drawn = [task[rng.integers(len(task), size=(resamples, len(task)))] for task in tasks]
    center, error = _iqm_and_error(drawn)
    distance = center - value
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.sort(np.where(distance == 0, 0.0, distance / error))
    tail = (1 - confidence) / 2
    least, most = (np.quantile(t, q, method="inverted_cdf") for q in (tail, 1 - tail))
    own = float(_iqm_and_error([task[None] for task in tasks])[1][0])
    if own == 0:  # nothing varies
        return Estimate(value, value, value, confidence)
    if not np.isfinite([least, most]).all():
        note = f"no {percent(confidence)} interval of an interquartile mean from {few} seeds"
        return Estimate(value, np.nan, np.nan, confidence, note)
    return Estimate(value, float(value - most * own), float(value - least * own), confidence)


def _iqm_and_error(tasks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the interquartile means ``f64[R]`` of pooled tasks ``f64[R,S]`` each, and their standard errors."""
    pooled = np.sort(np.concatenate(tasks, axis=1), axis=1)
    count = pooled.shape[1]
    cut = count // 4
    low, high = pooled[:, cut, None], pooled[:, count - cut - 1, None]
    weights = [(task.shape[1] / (count - 2 * cut)) ** 2 / task.shape[1] for task in tasks]
    variance = sum(w * np.clip(x, low, high).var(axis=1, ddof=1) for w, x in zip(weights, tasks, strict=True))
    return pooled[:, cut : count - cut].mean(axis=1), np.sqrt(variance)


def permutation_test(
    x: ArrayLike,
    y: ArrayLike,
    statistic: Callable[..., Any] = np.mean,
    resamples: int = 9999,
    seed: int = 0,
) -> float:
    """Return the two-sided p-value of ``statistic(x) - statistic(y)`` under exchange of seeds between the groups.

    All exchanges are tried if there are at most ``resamples``; five seeds against five cannot give less than 2/252 = .008.
    ``statistic(values, axis=axis)`` may be `numpy.mean` or `iqm`, for example. NaN if a group has fewer than two seeds, or if
    the difference is not a number.

    Example:
        >>> round(analysis.permutation_test([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]), 3)
        0.008
    """
    x, y, statistic = _one_group("x", x), _one_group("y", y), function("statistic", statistic)
    resamples, rng = whole("resamples", resamples), generator(seed)
    if min(len(x), len(y)) < 2:
        return float("nan")

    def difference(x, y, axis):
        return statistic(x, axis=axis) - statistic(y, axis=axis)

    try:
        observed = float(difference(x, y, axis=-1))
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"statistic fails ({problem}); allowed: what takes values and an axis.") from error
    if not np.isfinite(observed):
        return float("nan")
    return float(stats.permutation_test((x, y), difference, vectorized=True, n_resamples=resamples, rng=rng).pvalue)


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return p-values ``f64[M]`` corrected for M tests, which controls the probability of any false rejection (Holm 1979).

    NaN stays NaN and does not count as a test.

    Example:
        >>> analysis.holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    corrected = numbers("p_values", p_values, "[M]", empty=True).astype(float)
    there = np.flatnonzero(np.isfinite(corrected))
    order = there[np.argsort(corrected[there])]
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(corrected[order] * np.arange(len(order), 0, -1)))
    return corrected


def hedges_g(x: ArrayLike, y: ArrayLike) -> float:
    """Return the difference of means in pooled standard deviations, corrected for small groups (Hedges 1981).

    NaN if a group has fewer than two seeds, or nothing varies.

    Example:
        >>> round(analysis.hedges_g([3, 4, 5], [1, 2, 3]), 2)
        1.6
    """
    x, y = _one_group("x", x), _one_group("y", y)
    freedom = len(x) + len(y) - 2
    if min(len(x), len(y)) < 2:
        return float("nan")
    pooled = np.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / freedom)
    return float((1 - 3 / (4 * freedom - 1)) * (x.mean() - y.mean()) / pooled) if pooled > 0 else float("nan")


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """Return how often a seed of ``x`` is above one of ``y``, ties counted half; .5 if they do not differ (Agarwal et al.).

    Example:
        >>> analysis.probability_of_improvement([1, 3], [1, 2])
        0.625
    """
    x, y = _one_group("x", x), _one_group("y", y)
    return float(np.mean((np.sign(x[:, None] - y) + 1) / 2)) if min(len(x), len(y)) else float("nan")


def against_null(value: float, draws: ArrayLike, why: str = "it is not a number") -> Measured:
    """Compare a value with ``draws`` under a null; ``why`` is the note if the value is NaN.

    Draws that are NaN count against the value, so they never make p smaller.
    """
    draws = np.asarray(draws, float)
    finite = draws[np.isfinite(draws)]
    mean = float(finite.mean()) if finite.size else float("nan")
    std = float(finite.std(ddof=1)) if finite.size > 1 else float("nan")
    if not np.isfinite(value):
        return Measured(float("nan"), mean, std, float("nan"), float("nan"), why)
    z = (value - mean) / std if std > 0 else float("nan")
    return Measured(float(value), mean, std, float(z), one_sided(value, draws))


def one_sided(value: float, draws: ArrayLike) -> float:
    """Return the share of ``draws``, with ``value`` as one of them, that are at least ``value``; NaN if value is NaN."""
    draws = np.asarray(draws, float)
    if not np.isfinite(value):
        return float("nan")
    return float((1 + np.sum(~(draws < value))) / (1 + draws.size))


def _one_group(name: str, values: ArrayLike) -> np.ndarray:
    values = numbers(name, values, "[S]", empty=True)
    return values[np.isfinite(values)]


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), values, np.nan)


def nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Average the finite values; NaN without a warning if there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(_finite(values), axis=axis)


def _nanstd(values: np.ndarray, axis: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanstd(values, axis=axis, ddof=1)
