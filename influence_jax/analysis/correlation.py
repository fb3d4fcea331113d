"""Do agents that are influenced more earn more? (Section 5.1 of the paper.)

The paper correlates "influence and individual rewards" of 100 conditions and does not say what one point is. Both
readings are computed: a condition (a run), and an agent within its condition. Only if they agree does the paper's
conclusion follow: in the first, runs that learned anything at all have both more influence and more reward.
"""

import dataclasses

import numpy as np
from scipy import stats

from influence_jax.analysis.statistics import Estimate
from influence_jax.settings import ConfigError


@dataclasses.dataclass(frozen=True)
class Correlation:
    """Influence received against individual return; C conditions, N agents."""

    across: Estimate  # Pearson's over conditions, of means over agents, 95 % (Fisher)
    across_rank: float  # Spearman's
    across_p: float  # conditions exchanged at random, two-sided
    across_given_weight: float  # partial, given the weight of influence of each condition; NaN without weights
    within: Estimate  # Pearson's over all agents, both z-scored within their condition; 95 %, conditions resampled
    within_p: float  # agents exchanged within their condition, two-sided
    agents_given_return: float  # partial over all agents, given the collective return of their condition


def influence_and_reward(
    received: np.ndarray, returns: np.ndarray, weights: np.ndarray | None = None, draws: int = 2000, seed: int = 0
) -> Correlation:
    """Correlate the influence that agents ``received f[C,N]`` with their ``returns f[C,N]``, means over episodes each.

    ``weights f[C]`` are the conditions' weights of influence, which may be behind both.

    Raises:
        ConfigError: shapes differ, or there are fewer than four conditions.

    Example:
        >>> found = analysis.influence_and_reward([[1, 2], [2, 3], [3, 4], [5, 6]], [[1, 2], [3, 4], [2, 3], [5, 6]])
        >>> round(found.across.value, 3), round(found.within.value, 3)
        (0.886, 1.0)
    """
    received, returns = np.asarray(received, float), np.asarray(returns, float)
    if received.shape != returns.shape or received.ndim != 2 or len(received) < 4:
        shapes = f"received has shape {list(received.shape)} and returns {list(returns.shape)}"
        raise ConfigError(f"{shapes}; allowed is one shape [C,N], C at least 4.")
    rng = np.random.default_rng(seed)
    x, y = received.mean(axis=1), returns.mean(axis=1)
    across = _pearson(x, y)
    interval = np.arctanh(np.clip(across, -1 + 1e-12, 1 - 1e-12)) + np.array([-1, 1]) * stats.norm.ppf(0.975) / np.sqrt(
        len(x) - 3
    )
    null_across = [_pearson(rng.permutation(x), y) for _ in range(draws)]

    inside = _scored(received), _scored(returns)
    within = _pearson(*inside)
    resampled = [_pearson(*(z[chosen] for z in inside)) for chosen in rng.integers(len(x), size=(draws, len(x)))]
    null_within = [_pearson(rng.permuted(inside[0], axis=1), inside[1]) for _ in range(draws)]
    return Correlation(
        across=Estimate(across, *np.tanh(interval).tolist()),
        across_rank=float(stats.spearmanr(x, y).statistic),
        across_p=_two_sided(across, null_across),
        across_given_weight=float("nan") if weights is None else partial_correlation(x, y, weights),
        within=Estimate(within, *np.quantile(resampled, [0.025, 0.975]).tolist()),
        within_p=_two_sided(within, null_within),
        agents_given_return=partial_correlation(
            received, returns, np.broadcast_to(returns.sum(axis=1, keepdims=True), returns.shape)
        ),
    )


def partial_correlation(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Return Pearson's correlation of what a straight line through ``given`` leaves of ``x`` and of ``y``."""
    xy, xg, yg = _pearson(x, y), _pearson(x, given), _pearson(y, given)
    left = (1 - xg**2) * (1 - yg**2)
    return float((xy - xg * yg) / np.sqrt(left)) if left > 1e-12 else float("nan")


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = np.ravel(x).astype(float), np.ravel(y).astype(float)
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else float("nan")


def _scored(values: np.ndarray) -> np.ndarray:
    deviation = values.std(axis=1, keepdims=True)
    return (values - values.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)


def _two_sided(value: float, draws: list[float]) -> float:
    return float((1 + np.sum(np.abs(draws) >= abs(value))) / (1 + len(draws)))
