"""How much agents influence each other, when, and what happens around it (section 5.1 of the paper).

``influence f[...,T,K,J]`` is the influence of agent k on agent j at each step, in nats (or the measure's unit), with a zero
diagonal: that of a trace, or of several traces of one length with episodes first. ``T`` steps, ``N`` agents.
"""

import dataclasses
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from influence_jax.analysis import social
from influence_jax.analysis.arguments import booleans, level, numbers, random_seed, same_shape, symbols, whole
from influence_jax.analysis.statistics import CONFIDENCE, nanmean, percent
from influence_jax.analysis.tables import html_table, text_table
from influence_jax.settings import ConfigError

CAPTION = "Influence of each agent on all others, its share of the bound and its concentration in time"


@dataclasses.dataclass(frozen=True, repr=False)
class InfluenceStatistics:
    """Influence over whole episodes; all steps have equal weight."""

    pairs: np.ndarray  # f64[K,J], mean influence of k on j
    mean: np.ndarray  # f64[K], mean influence of k on all others together
    sparsity: np.ndarray  # f64[K], share of steps above k's own mean; less than .1 in the paper
    concentration: (
        np.ndarray
    )  # f64[K], Gini coefficient over time: 0 if constant, near 1 if concentrated in a few steps
    entropy: np.ndarray | None  # f64[K], mean entropy of k's policy
    share_of_bound: np.ndarray | None  # f64[K], mean / entropy; at most 1 for each of the others

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each agent, without `pairs`, as plain data."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "pairs"]
        known = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return [
            {"agent": k} | {name: float(values[k]) for name, values in known.items()} for k in range(len(self.mean))
        ]

    def __repr__(self) -> str:
        return f"{CAPTION}\n{text_table(self.rows())}"

    def _repr_html_(self) -> str:
        return html_table(self.rows(), CAPTION)


def influence_statistics(influence: ArrayLike, log_policy: ArrayLike | None = None) -> InfluenceStatistics:
    """Describe ``influence f[...,T,K,J]``; ``log_policy f[...,T,N,A]`` is the policy over what influences, actions or messages.

    Influence is at most the surprisal of the influencer's choice, so on average at most its entropy. Without the entropy, the
    same number may be all that is possible or nearly nothing.

    Example:
        >>> statistics = analysis.influence_statistics(trace.influence, trace.log_policy)
        >>> statistics.pairs.shape, statistics.share_of_bound.shape
        ((3, 3), (3,))
    """
    influence = pairwise(influence)
    if log_policy is not None:
        log_policy = numbers("log_policy", log_policy, "[...,T,N,A]")
        if log_policy.shape[:-1] != influence.shape[:-1]:
            shapes = f"log_policy has shape {list(log_policy.shape)} and influence {list(influence.shape)}"
            raise ConfigError(
                f"{shapes}; allowed: [...,T,N,A] and [...,T,K,J], of the same episodes, steps and agents."
            )
    influence = influence.reshape(-1, *influence.shape[-2:])
    on_all = influence.sum(axis=-1)
    mean = on_all.mean(axis=0)
    entropy = None if log_policy is None else policy_entropy(log_policy).reshape(len(influence), -1).mean(axis=0)
    return InfluenceStatistics(
        pairs=influence.mean(axis=0),
        mean=mean,
        sparsity=(on_all > mean).mean(axis=0),
        concentration=social.gini(on_all.T),
        entropy=entropy,
        share_of_bound=None if entropy is None else mean / np.where(entropy > 0, entropy, np.nan),
    )


def policy_entropy(log_policy: ArrayLike) -> np.ndarray:
    """Return the entropies ``f64[...]`` of ``log_policy f[...,A]``, nats."""
    log_policy = np.asarray(log_policy, float)
    probability = np.exp(log_policy)
    return -np.sum(probability * np.where(probability > 0, log_policy, 0.0), axis=-1)


def influential_moments(influence: ArrayLike) -> np.ndarray:
    """Return ``bool[...,T,K]``: when k's influence on all others is at least k's own mean, and not 0 (section 5.1).

    Example:
        >>> analysis.influential_moments(trace.influence).shape
        (300, 3)
    """
    on_all = pairwise(influence).sum(axis=-1)
    mean = nanmean(on_all.reshape(-1, on_all.shape[-1]), axis=0)
    return (on_all >= mean) & (on_all > 0)


def strongest_moments(influence: ArrayLike, k: int = 5) -> list[tuple[int, int, int, float]]:
    """Return the ``k`` largest of ``influence f[T,K,J]`` as ``(step, influencer, influencee, influence)``, strongest first.

    Example:
        >>> for step, k, j, nats in analysis.strongest_moments(trace.influence, 2):
        ...     print(step, k, j, round(nats, 3))
        105 2 0 0.784
        5 1 0 0.717
    """
    influence, k = pairwise(influence, "[T,K,J]"), whole("k", k)
    order = np.argsort(-influence, axis=None, kind="stable")[:k]
    places = zip(*np.unravel_index(order, influence.shape), strict=True)
    return [(int(t), int(i), int(j), float(influence[t, i, j])) for t, i, j in places if influence[t, i, j] > 0]


def influence_by_action(influence: ArrayLike, actions: ArrayLike, num_actions: int) -> dict[str, np.ndarray]:
    """Return how often each action is taken and how much influence it has, ``f64[A]`` by name.

    ``influence f[...,T,K,J]`` belongs to the ``actions i[...,T,K]`` in ``0..A-1``, with A ``num_actions``. ``share_of_actions``
    is the action's share of all actions, ``influence`` its mean influence on all others together (NaN if it is never taken),
    and ``share_of_influence`` its share of all influence (NaN if there is none).

    Example:
        >>> by_action = analysis.influence_by_action(trace.influence, trace.actions, num_actions=9)
        >>> round(float(by_action["share_of_influence"].sum()), 6)
        1.0
    """
    influence, num_actions = pairwise(influence), whole("num_actions", num_actions)
    actions = symbols("actions", actions, "[...,T,K]", 0, num_actions - 1)
    on_all = influence.sum(axis=-1)
    same_shape(actions=actions, **{"influence on all others": on_all})
    taken = np.bincount(actions.ravel(), minlength=num_actions)
    total = np.bincount(actions.ravel(), weights=on_all.ravel(), minlength=num_actions)
    with np.errstate(invalid="ignore"):
        return {
            "share_of_actions": taken / taken.sum(),
            "influence": total / taken,
            "share_of_influence": total / total.sum(),
        }


@dataclasses.dataclass(frozen=True, repr=False)
class EventLocked:
    """The course of a quantity around events."""

    offsets: np.ndarray  # i64[W], steps since the event
    mean: np.ndarray  # f64[W], over events, NaN if no event has such a step
    null_mean: np.ndarray  # f64[W], the same around events shifted in time
    null_low: np.ndarray  # f64[W], lower end of the central interval that holds a share `confidence` of the null
    null_high: np.ndarray  # f64[W]
    events: int
    confidence: float

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each step around the event, as plain data."""
        columns = {name: getattr(self, name).tolist() for name in ("mean", "null_mean", "null_low", "null_high")}
        return [
            {"offset": offset} | {name: values[i] for name, values in columns.items()}
            for i, offset in enumerate(self.offsets.tolist())
        ]

    def __repr__(self) -> str:
        beyond = (self.mean < self.null_low) | (self.mean > self.null_high)
        outside = self.offsets[beyond]
        where = f"at {', '.join(map(str, outside))}" if outside.size else "nowhere"
        steps = f"{self.offsets[0]} to {self.offsets[-1]} steps from {self.events} events"
        return f"EventLocked, {steps}; outside {percent(self.confidence)} of events shifted in time {where}"

    def _repr_html_(self) -> str:
        return html_table(self.rows(), repr(self))


def event_locked(
    values: ArrayLike,
    events: ArrayLike,
    around: int = 10,
    draws: int = 200,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> EventLocked:
    """Average ``values f[...,T]`` around the steps where ``events bool[...,T]`` holds, as in Fig. 13 of the supplement.

    Events may be an action (``actions[:, k] == OPEN``), an apple, a shot. The null rotates all events of an episode together in
    time, which keeps their number and spacing. ``null_low`` and ``null_high`` bound the central share ``confidence`` of the
    null.

    Example:
        >>> around = analysis.event_locked(trace.influence[:, 0, 1], trace.actions[:, 0] == 3, around=2)
        >>> around.offsets
        array([-2, -1,  0,  1,  2])
    """
    values, events = numbers("values", values, "[...,T]"), booleans("events", events, "[...,T]")
    same_shape(values=values, events=events)
    around, draws, seed = whole("around", around, 0), whole("draws", draws), random_seed(seed)
    tail = (1 - level(confidence)) / 2
    values, events = values.reshape(-1, values.shape[-1]), events.reshape(-1, events.shape[-1])
    if not events.any():
        raise ConfigError("events are never true; allowed: events of which there is at least one.")
    offsets = np.arange(-around, around + 1)
    padded = np.pad(values, ((0, 0), (around, around)), constant_values=np.nan)

    def locked(events):
        episode, step = np.nonzero(events)
        return nanmean(padded[episode[:, None], step[:, None] + around + offsets], axis=0)

    rng = np.random.default_rng(seed)
    null = np.array([locked(shifted(events, rng.integers(events.shape[-1], size=len(events)))) for _ in range(draws)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN if no two steps are so far apart
        low, high = np.nanquantile(null, [tail, 1 - tail], axis=0)
    return EventLocked(offsets, locked(events), nanmean(null, axis=0), low, high, int(events.sum()), confidence)


def pairwise(influence: Any, axes: str = "[...,T,K,J]") -> np.ndarray:
    """Return ``influence`` as f64 with these axes, after checking that there are as many influencers as influencees."""
    influence = numbers("influence", influence, axes)
    if influence.shape[-1] != influence.shape[-2]:
        raise ConfigError(f"influence has shape {list(influence.shape)}; allowed: {axes}, K and J all agents.")
    return influence


def shifted(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return ``values [P,T,...]`` with each episode rotated in time by its entry of ``offsets i[P]``."""
    steps = (np.arange(values.shape[1]) - np.asarray(offsets)[:, None]) % values.shape[1]
    return values[np.arange(len(values))[:, None], steps]
