"""Social metrics of whole episodes (Perolat et al. 2017; Hughes et al. 2018; section 10.5.3 of the paper's supplement).

``returns f[...,N]`` are the agents' returns per episode, from the environment's reward only; ``T`` steps, ``N`` agents.
"""

import numpy as np
from numpy.typing import ArrayLike

from influence_jax.analysis.arguments import generator, numbers, whole
from influence_jax.settings import ConfigError


def gini(returns: ArrayLike) -> np.ndarray:
    """Return the Gini coefficient ``f[...]`` of ``returns f[...,N]``: 0 if all are equal, 1 - 1/N if one agent has everything.

    NaN if the sum is not positive, which fines can cause; use apples in that case.

    Example:
        >>> float(analysis.gini([6, 2, 0, 0]))
        0.625
    """
    returns = numbers("returns", returns, "[...,N]")
    total = returns.sum(axis=-1)
    differences = np.abs(returns[..., :, None] - returns[..., None, :]).sum(axis=(-2, -1))
    return np.where(total > 0, differences / (2 * returns.shape[-1] * np.where(total > 0, total, 1.0)), np.nan)


def equality(returns: ArrayLike) -> np.ndarray:
    """Return 1 - `gini`, ``f[...]``, clipped to [0,1] and 0 if the sum is not positive; NaN if a return is.

    Example:
        >>> analysis.equality([[6, 2, 0, 0], [2, 2, 2, 2]])
        array([0.375, 1.   ])
    """
    returns = numbers("returns", returns, "[...,N]")
    shared = np.clip(1.0 - np.nan_to_num(gini(returns), nan=1.0), 0.0, 1.0)
    return np.where(np.isfinite(returns).all(axis=-1), shared, np.nan)


def weighted_return(returns: ArrayLike) -> np.ndarray:
    """Return the collective return times equality, R (1 - G), ``f[...]`` (Fig. 16).

    Example:
        >>> float(analysis.weighted_return([6, 2, 0, 0]))
        3.0
    """
    returns = numbers("returns", returns, "[...,N]")
    return returns.sum(axis=-1) * equality(returns)


def equality_by_luck(returns: ArrayLike, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Return ``draws`` equalities under a null, ``f[draws,...]``: the same number of apples, each given to a random agent.

    ``returns`` are counts such as apples, ``[...,N]``. The null shows how unequal agents are by luck alone.

    Example:
        >>> luck = analysis.equality_by_luck(np.array([6, 2, 0, 0]))
        >>> np.quantile(luck, [0.025, 0.975])
        array([0.4375, 1.    ])
    """
    counts = numbers("returns", returns, "[...,N]")
    if not (np.isfinite(counts) & (counts >= 0) & (counts == np.round(counts))).all() or counts.sum() > 2**53:
        raise ConfigError("returns has values that are no counts; allowed: whole numbers from 0, such as apples.")
    draws, rng = whole("draws", draws), generator(seed)
    share = np.full(counts.shape[-1], 1 / counts.shape[-1])
    return equality(rng.multinomial(counts.sum(axis=-1).astype(int), share, size=(draws, *counts.shape[:-1])))


def efficiency(rewards: ArrayLike) -> np.ndarray:
    """Return the agents' total reward per step, ``f[...]``, of ``rewards f[...,T,N]``.

    Example:
        >>> float(analysis.efficiency([[1, 0], [0, 0], [0, 3], [1, 0]]))
        1.25
    """
    return numbers("rewards", rewards, "[...,T,N]").sum(axis=-1).mean(axis=-1)


def sustainability(apples: ArrayLike) -> np.ndarray:
    """Return the average time at which apples are eaten, in steps from the start: ``f[...]`` of ``apples f[...,T,N]``.

    Every agent's mean time has equal weight; agents that eat nothing are left out, and the result is NaN if nobody eats. Apples
    eaten evenly over the episode give (T-1)/2; overharvesting gives little.

    Example:
        >>> float(analysis.sustainability([[1, 0], [0, 0], [0, 1], [1, 0]]))
        1.75
    """
    apples = numbers("apples", apples, "[...,T,N]")
    times = np.arange(apples.shape[-2], dtype=float)[:, None]
    eaten = apples.sum(axis=-2)
    mean_time = (apples * times).sum(axis=-2) / np.where(eaten > 0, eaten, 1.0)
    eaters = (eaten > 0).sum(axis=-1)
    known = (eaters > 0) & np.isfinite(eaten).all(axis=-1)
    return np.where(known, np.where(eaten > 0, mean_time, 0.0).sum(axis=-1) / np.maximum(eaters, 1), np.nan)


def peace(hits: ArrayLike) -> np.ndarray:
    """Return the average number of agents that are not hit in a step, ``f[...]`` from 0 to N, of ``hits f[...,T,N]``.

    Perolat et al. count agents that are not timed out. Agents here are never timed out, so those that are not hit are counted.

    Example:
        >>> float(analysis.peace([[0, 1], [0, 0]]))
        1.5
    """
    hits = numbers("hits", hits, "[...,T,N]")
    return np.where(np.isnan(hits), np.nan, hits == 0).sum(axis=-1).mean(axis=-1)
