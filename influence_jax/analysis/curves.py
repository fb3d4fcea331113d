"""Learning curves: smoothing, summary scores, and the selection of seeds and settings.

``U`` log points, ``S`` members (seeds), ``C`` settings, ``N`` agents.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from influence_jax.analysis.arguments import generator, level, number, numbers, whole
from influence_jax.analysis.statistics import CONFIDENCE, Estimate, nanmean, one_sided, t_interval
from influence_jax.settings import ConfigError


@dataclasses.dataclass(frozen=True, repr=False)
class Curve:
    """A quantity against environment steps: its mean over members with Student's interval."""

    env_steps: np.ndarray  # i64[U]
    members: np.ndarray  # f64[U,S], smoothed
    value: np.ndarray  # f64[U], NaN if no member measured it
    low: np.ndarray  # f64[U], NaN for fewer than two members
    high: np.ndarray  # f64[U]
    confidence: float

    def __repr__(self) -> str:
        points, members = self.members.shape
        last = Estimate(float(self.value[-1]), float(self.low[-1]), float(self.high[-1]), self.confidence)
        return f"Curve of {members} members at {points} log points to {self.env_steps[-1]:g} steps, last {last}"


def learning_curve(env_steps: ArrayLike, values: ArrayLike, window: int = 1, confidence: float = CONFIDENCE) -> Curve:
    """Return the curve of ``values f[U,S]`` at ``env_steps i[U]``, with each member smoothed by `smoothed`.

    Example:
        >>> curve = analysis.learning_curve(np.array([10, 20]), np.array([[1.0, 3.0], [3.0, 5.0]]))
        >>> curve.value
        array([2., 4.])
    """
    env_steps, values = _course(env_steps, values)
    members = smoothed(values, window)
    mean = t_interval(members, level(confidence), axis=1)
    return Curve(env_steps, members, mean.value, mean.low, mean.high, mean.confidence)


def _course(env_steps: ArrayLike, values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return ``env_steps [U]`` and ``values f64[U,S]``, and refuse different numbers of log points."""
    values = numbers("values", values, "[U,S]")
    numbers("env_steps", env_steps, "[U]")
    env_steps = np.asarray(env_steps)
    if len(env_steps) != len(values):
        raise ConfigError(f"env_steps has {len(env_steps)} log points and values {len(values)}; allowed: as many.")
    return env_steps, values


def paper_window(points: int, window: int = 200, of: int = 1000) -> int:
    """Return the paper's window of 200 log points, shortened in proportion for runs with fewer than 1000."""
    return max(1, round(window * min(points, of) / of))


def smoothed(values: ArrayLike, window: int | None = None) -> np.ndarray:
    """Return means over the last ``window`` log points at each point, f64 in the shape of ``values f[U,...]``.

    Points that are not finite (no episode ended) are left out, and the first points average what there is. The default
    ``window`` is `paper_window`.

    Example:
        >>> analysis.smoothed([[1.0], [3.0], [5.0]], window=2)[:, 0]
        array([1., 2., 4.])
    """
    values = numbers("values", values, "[U,...]")
    window = paper_window(len(values)) if window is None else whole("window", window)
    there = np.isfinite(values)
    first = np.maximum(0, np.arange(1, len(values) + 1) - window)

    def windows(x):
        total = np.concatenate([np.zeros_like(x[:1]), np.cumsum(x, axis=0)])
        return total[1:] - total[first]

    count = windows(there.astype(float))
    return np.where(count > 0, windows(np.where(there, values, 0.0)) / np.maximum(count, 1.0), np.nan)


def summary(env_steps: ArrayLike, values: ArrayLike) -> dict[str, np.ndarray]:
    """Return summary scores of each member's curve ``values f[U,S]``, ``f64[S]`` each.

    ``final`` is the mean over the last 50 log points, as in Table 4 (over the last 5 % if there are fewer than 1000).
    ``final_steps`` is the mean over the last 5 % of environment steps, ``auc`` over the whole run, and ``best`` the highest
    point of the smoothed curve, which is far above ``final`` if something learned was lost again.

    Example:
        >>> ends = analysis.summary(np.arange(100), np.arange(100.0)[:, None])
        >>> ends["final"], ends["best"]
        (array([97.]), array([89.5]))
    """
    env_steps, values = _course(env_steps, values)
    return {
        "final": nanmean(values[-paper_window(len(values), 50) :], axis=0),
        "final_steps": nanmean(values[env_steps > 0.95 * env_steps[-1]], axis=0),
        "auc": nanmean(values, axis=0),
        "best": np.fmax.reduce(smoothed(values), axis=0),
    }


def scores(metrics: Mapping[str, np.ndarray], metric: str, summarise: str = "final") -> np.ndarray:
    """Return a summary score of each member's curve of a metric, ``f64[S]``; see `summary`.

    A member that failed, because its numbers were no longer finite, has no score, however good it was before.
    """
    found = summary(metrics["env_steps"][:, 0], metrics[metric])[summarise]
    return np.where(failed(metrics), np.nan, found)


def failed(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return ``bool[S]``: which members had failed by the last log point."""
    last = metrics["env_steps"][-1]
    return np.nan_to_num(metrics["failed"][-1]) > 0 if "failed" in metrics else np.zeros(last.shape, bool)


BLIND = 0.05  # nats of sight below which an agent hardly uses what it sees


def final_sight(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return every agent's sight at the end of training, ``f64[S,N]`` nats, over the same log points as ``final`` in `summary`.

    An agent below `BLIND` cannot be influenced, and action frequencies are as good a model of it as any (docs/learner.md).
    """
    sight = metrics["agent_sight"]
    return nanmean(sight[-paper_window(len(sight), 50) :], axis=0)


def seeds_in_which_all_eat(apples: ArrayLike, share: float = 0.05, least: float = 5.0) -> np.ndarray:
    """Return ``bool[S]``: the seeds that the paper keeps for Harvest, given ``apples f[U,S,N]`` per episode.

    A seed is dropped if, over the last 10 % of training, some agent eats less than ``share`` of the mean of the others, or
    fewer than ``least`` apples, because one harvester less makes life easier for the others. Publish results with and without
    this selection, and how many seeds were dropped.

    Example:
        >>> apples = np.array([[[50, 40], [90, 2]]]).repeat(10, axis=0)  # two seeds of two agents
        >>> analysis.seeds_in_which_all_eat(apples)
        array([ True, False])
    """
    apples = numbers("apples", apples, "[U,S,N]")
    share, least = number("share", share, 0), number("least", least, 0)
    late = nanmean(apples[-max(1, round(len(apples) / 10)) :], axis=0)
    others = (late.sum(axis=-1, keepdims=True) - late) / max(1, late.shape[-1] - 1)
    return ((late >= share * others) & (late >= least)).all(axis=-1)


@dataclasses.dataclass(frozen=True)
class TopSettings:
    """The best settings of a search, and how much of their score is selection."""

    chosen: np.ndarray  # i64[k], best first by the mean over all seeds
    score: float  # mean of the chosen over the same seeds, as in the paper's figures; biased upwards
    held_out: float  # mean over seeds that were not used for the choice (leave one out)
    null_mean: float  # mean score from the selection alone, with scores permuted among settings
    p: float  # how often that gives the same score or more
    notes: tuple[str, ...] = ()  # why a number is NaN, and what was left out


def top_settings(scores: ArrayLike, k: int = 5, draws: int = 1000, seed: int = 0) -> TopSettings:
    """Choose the ``k`` best of C settings by ``scores f[C,S]``, one final score per setting and seed (Fig. 17).

    The score of the best of many settings, on the seeds that selected them, is partly luck; ``held_out`` and the null show how
    much. A setting with a seed that has no score is left out.

    Example:
        >>> top = analysis.top_settings([[1, 1, 1], [9, 9, 9], [5, 5, 5]], k=1)
        >>> top.chosen, top.held_out
        (array([1]), 9.0)
    """
    scores = numbers("scores", scores, "[C,S]")
    draws, rng = whole("draws", draws), generator(seed)
    complete = np.flatnonzero(np.isfinite(scores).all(axis=1))
    left_out = len(scores) - len(complete)
    notes = [f"{left_out} settings are left out, which lack a seed's score"] if left_out else []
    if not len(complete):
        raise ConfigError("scores has no setting with a score for every seed; allowed: scores with at least one.")
    scores, k = scores[complete], whole("k", k, 1, len(complete))

    def best(by):
        return np.argsort(-by, axis=0, kind="stable")[:k]

    chosen, seeds = best(scores.mean(axis=1)), np.arange(scores.shape[1])
    held_out = np.nan
    if len(seeds) > 1:
        held_out = np.mean([scores[best(scores[:, seeds != s].mean(axis=1)), s].mean() for s in seeds])
    else:
        notes.append("held_out: one seed chooses and is chosen by")
    exchanged = (rng.permuted(scores.ravel()).reshape(scores.shape).mean(axis=1) for _ in range(draws))
    null = np.array([np.sort(means)[-k:].mean() for means in exchanged])
    score = float(scores[chosen].mean())
    return TopSettings(
        chosen=complete[chosen],
        score=score,
        held_out=float(held_out),
        null_mean=float(null.mean()),
        p=one_sided(score, null),
        notes=tuple(notes),
    )
