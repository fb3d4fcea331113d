"""What messages mean and who listens (section 5.1 of the paper, 10.4.4 of its supplement), with null distributions.

Symbols are whole numbers from 0: ``messages i[...,T,N]`` and ``actions i[...,T,N]`` of a trace, or of several traces of one
length with episodes first. All quantities are in nats, estimated from counts over all steps. Such estimates are biased
upwards for few steps: with nine symbols and nine actions, 1000 independent steps give .03 and 100 steps give .38. Every
measure therefore comes with a null distribution and means nothing without it.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from influence_jax.analysis.arguments import numbers, random_seed, same_shape, symbols, whole
from influence_jax.analysis.influence import influential_moments, shifted
from influence_jax.analysis.statistics import (
    CONFIDENCE,
    Estimate,
    Measured,
    against_null,
    permutation_test,
    welch_interval,
)
from influence_jax.settings import ConfigError

MIN_SHIFT = 51  # steps; nearby steps resemble each other even if nobody listens


def entropy(counts: ArrayLike, axis: int | None = None) -> np.ndarray:
    """Return the entropy of ``counts``, over all of them or along ``axis``, nats."""
    counts = np.asarray(counts, float)
    total = counts.sum(axis=axis, keepdims=True)
    return entr(counts / np.where(total > 0, total, 1.0)).sum(axis=axis)


def joint_counts(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return how often each pair of symbols ``x i[T]`` and ``y i[T]`` occurs, ``i64[X,Y]``; negative symbols are ignored."""
    x, y = np.asarray(x).ravel(), np.asarray(y).ravel()
    there = (x >= 0) & (y >= 0)
    counts = np.zeros((max(0, x.max(initial=-1)) + 1, max(0, y.max(initial=-1)) + 1), int)
    np.add.at(counts, (x[there], y[there]), 1)
    return counts


def mutual_information(x: ArrayLike, y: ArrayLike) -> float:
    """Return the plug-in estimate of the mutual information of symbols ``x i[T]`` and ``y i[T]``, nats.

    Steps with a negative symbol are ignored; NaN if none is left.

    Example:
        >>> round(analysis.mutual_information([0, 1, 0, 1], [1, 0, 1, 0]), 4)
        0.6931
    """
    x, y = symbols("x", x, "[...,T]"), symbols("y", y, "[...,T]")
    same_shape(x=x, y=y)
    there = (x >= 0) & (y >= 0)
    if not there.any():
        return float("nan")
    pair = [np.unique(z[there], return_inverse=True)[1] for z in (x, y)]  # renumbered, so that there are few counts
    counts = joint_counts(*pair)
    return float(max(0.0, entropy(counts.sum(axis=0)) + entropy(counts.sum(axis=1)) - entropy(counts)))


@dataclasses.dataclass(frozen=True)
class SpeakerConsistency:
    """How strongly each agent's messages and its own actions determine each other; N agents."""

    agents: np.ndarray  # f64[N], in [0,1], mean over the symbols and actions that occur
    weighted: np.ndarray  # f64[N], the same weighted by how often they occur
    vocabulary: (
        np.ndarray
    )  # f64[N], effective number of symbols, exp(entropy of messages); if near 1, a high score means nothing
    score: Measured  # mean over agents; the null shifts messages in time


def speaker_consistency(
    messages: ArrayLike,
    actions: ArrayLike,
    num_messages: int,
    num_actions: int,
    min_count: int = 50,
    draws: int = 100,
    seed: int = 0,
) -> SpeakerConsistency:
    """Return the speaker consistency of ``messages i[...,T,N]`` and ``actions i[...,T,N]`` (equation 8 of the supplement).

    The printed formula sums, but a score in [0,1], as claimed, needs means, which are used here. Symbols and actions that occur
    fewer than ``min_count`` times are left out. An agent without any others is NaN, and then so are the score and its p. The
    score says nothing about listeners: message and action come from one network.

    Raises:
        ConfigError: episodes are too short to be shifted.

    Example:
        >>> found = analysis.speaker_consistency(trace.messages, trace.messages, num_messages=4, num_actions=4)
        >>> found.score.value, found.agents.shape
        (1.0, (3,))
    """
    num_messages, num_actions = (
        whole("num_messages", num_messages, 1, 10_000),
        whole("num_actions", num_actions, 1, 10_000),
    )
    messages = _episodes(symbols("messages", messages, "[...,T,N]", high=num_messages - 1))
    actions = _episodes(symbols("actions", actions, "[...,T,N]", high=num_actions - 1))
    same_shape(messages=messages, actions=actions)
    _refuse_short("messages", messages)
    min_count, draws, seed = whole("min_count", min_count), whole("draws", draws), random_seed(seed)

    def counts(messages):
        pairs = zip(np.moveaxis(messages, -1, 0), np.moveaxis(actions, -1, 0), strict=True)
        return [_padded_counts(said, did, num_messages, num_actions) for said, did in pairs]

    def agents(messages, weighted=False):
        return np.array([_consistency(both, min_count, weighted) for both in counts(messages)])

    value = agents(messages)
    null = [agents(late).mean() for late in _shifts(messages, draws, seed)]
    return SpeakerConsistency(
        agents=value,
        weighted=agents(messages, weighted=True),
        vocabulary=np.exp([entropy(both.sum(axis=1)) for both in counts(messages)]),
        score=against_null(float(value.mean()), null, _unused(value, min_count)),
    )


def _unused(value: np.ndarray, min_count: int) -> str:
    silent = np.flatnonzero(np.isnan(value)).tolist()
    return f"agents {silent} use no message, or no action, {min_count} times"


def _consistency(counts: np.ndarray, min_count: int, weighted: bool) -> float:
    def one_way(counts):  # rows are the condition
        total = counts.sum(axis=1)
        used = total >= min_count
        if not used.any():
            return np.nan
        certainty = 1 - entropy(counts[used], axis=1) / np.log(max(2, counts.shape[1]))
        return float(np.average(certainty, weights=total[used] if weighted else None))

    return 0.5 * (one_way(counts) + one_way(counts.T))


@dataclasses.dataclass(frozen=True)
class Coordination:
    """Instantaneous coordination of every pair; K speakers or influencers, J others."""

    # f64[K,J], mutual information of k's symbol and j's action one step later; diagonal 0, NaN if k sends nothing
    pairs: np.ndarray
    best_pair: tuple[int, int]  # the pair with the highest
    score: Measured  # the highest; the null shifts symbols in time and again takes the highest


def instantaneous_coordination(sent: ArrayLike, actions: ArrayLike, draws: int = 100, seed: int = 0) -> Coordination:
    """Return I(symbol of k at t; action of j at t + 1) for all pairs, and the highest with its null.

    ``sent i[...,T,N]`` are messages (symbol/action) or actions (action/action); ``actions i[...,T,N]``. Agents who see the same
    things coordinate even without communication.

    Raises:
        ConfigError: episodes are too short to be shifted.

    Example:
        >>> found = analysis.instantaneous_coordination(trace.messages, trace.actions)
        >>> found.pairs.shape, found.score.p > 0.05
        ((3, 3), True)
    """
    sent = _episodes(symbols("sent", sent, "[...,T,N]"))
    actions = _episodes(symbols("actions", actions, "[...,T,N]"))
    same_shape(sent=sent, actions=actions)
    _refuse_short("sent", sent)
    if sent.shape[-1] < 2:
        raise ConfigError("sent is of one agent; allowed: two or more.")
    draws, seed = whole("draws", draws), random_seed(seed)
    apart = ~np.eye(sent.shape[-1], dtype=bool)
    pairs = _coordination(sent, actions)
    best = np.unravel_index(np.argmax(np.where(apart, np.nan_to_num(pairs, nan=-0.5), -1.0)), pairs.shape)
    null = [np.fmax.reduce(_coordination(late, actions)[apart]) for late in _shifts(sent, draws, seed)]
    score = float(np.fmax.reduce(pairs[apart]))
    return Coordination(pairs, (int(best[0]), int(best[1])), against_null(score, null, "no agent sends anything"))


def _coordination(sent: np.ndarray, actions: np.ndarray) -> np.ndarray:
    agents = range(sent.shape[-1])
    return np.array(
        [[mutual_information(sent[:, :-1, k], actions[:, 1:, j]) if j != k else 0.0 for j in agents] for k in agents]
    )


@dataclasses.dataclass(frozen=True)
class CoordinationInMoments:
    """Symbol/action coordination of one pair in moments of high influence, and the bias of few steps."""

    steps: int  # influential moments
    all_steps: float  # coordination over all steps, nats
    selected: float  # over influential moments, as shown in Fig. 5
    random_subset: Measured  # against as many random steps: the bias of few steps
    shuffled: Measured  # against the moments' own messages permuted: the same bias


def coordination_in_moments(
    messages: ArrayLike,
    actions: ArrayLike,
    influence: ArrayLike,
    speaker: int,
    listener: int,
    draws: int = 200,
    seed: int = 0,
) -> CoordinationInMoments:
    """Return the coordination of a speaker and a listener in the speaker's influential moments (Fig. 5), with nulls.

    ``messages i[...,T,N]``, ``actions i[...,T,N]``, and ``influence f[...,T,K,J]`` of the message at step t on the action at
    t + 1. The nulls show the bias of few steps and nothing else. Moments are selected by state and message together, so the
    message goes with the state in them, even if messages are random and influence is next to nothing: ``selected`` far above both
    nulls shows neither that messages have a meaning nor that anybody heeds them. Compare it with `selection_null`, which needs
    the listener's responses to every message.

    Example:
        >>> found = analysis.coordination_in_moments(trace.messages, trace.actions, trace.influence, 0, 1)
        >>> found.selected > found.all_steps
        True
    """
    messages = _episodes(symbols("messages", messages, "[...,T,N]"))
    actions = _episodes(symbols("actions", actions, "[...,T,N]"))
    same_shape(messages=messages, actions=actions)
    agents = messages.shape[-1]
    influence = numbers("influence", influence, "[...,T,K,J]")
    influence = influence.reshape(-1, *influence.shape[-3:])
    if influence.shape != (*messages.shape, agents):
        shapes = f"influence has shape {list(influence.shape)} and messages {list(messages.shape)}"
        raise ConfigError(f"{shapes}, episodes first; allowed: the same, with an axis for the listeners.")
    speaker, listener = whole("speaker", speaker, 0, agents - 1), whole("listener", listener, 0, agents - 1)
    if speaker == listener:
        raise ConfigError(f"speaker and listener are {speaker}; allowed: two agents.")
    draws, seed = whole("draws", draws), random_seed(seed)
    influence = influence[:, :-1]
    moments = influential_moments(influence)[..., speaker].ravel()
    said, answered = messages[:, :-1, speaker].ravel(), actions[:, 1:, listener].ravel()
    if not moments.any():
        raise ConfigError(f"influence of agent {speaker} is 0 in all steps; allowed: a speaker that has some.")
    rng = np.random.default_rng(seed)
    count = int(moments.sum())
    selected = mutual_information(said[moments], answered[moments])
    subsets = [rng.choice(len(said), size=count, replace=False) for _ in range(draws)]
    exchanged = [rng.permutation(said[moments]) for _ in range(draws)]
    return CoordinationInMoments(
        steps=count,
        all_steps=mutual_information(said, answered),
        selected=selected,
        random_subset=against_null(selected, [mutual_information(said[s], answered[s]) for s in subsets]),
        shuffled=against_null(selected, [mutual_information(x, answered[moments]) for x in exchanged]),
    )


def selection_null(
    messages: ArrayLike,
    actions: ArrayLike,
    log_answers: ArrayLike,
    log_policy: ArrayLike,
    draws: int = 200,
    seed: int = 0,
) -> Measured:
    """Return coordination in influential moments, against a null of meaningless messages with moments selected anew.

    ``messages i[T]`` of a speaker, ``actions i[T]`` of a listener in response, ``log_answers f[T,M,A]`` the listener's policy
    after each message, and ``log_policy f[T,M]`` the speaker's policy. The null draws each message from the speaker's overall
    frequencies, the listener's response from its own policy, and takes the influence of the message drawn, so that high
    coordination results from the selection alone.

    Example:
        >>> answers, policy = np.full((299, 4, 4), np.log(1 / 4)), np.full((299, 4), np.log(1 / 4))
        >>> answers[:30] = np.log(0.1 + 0.6 * np.eye(4))  # messages are followed in a tenth of the steps
        >>> analysis.selection_null(trace.messages[:-1, 0], trace.actions[1:, 1], answers, policy).null_mean > 0.2
        True
    """
    log_answers, log_policy = numbers("log_answers", log_answers, "[T,M,A]"), numbers("log_policy", log_policy, "[T,M]")
    steps, num_messages, num_actions = log_answers.shape
    if log_policy.shape != (steps, num_messages):
        shapes = f"log_answers has shape {list(log_answers.shape)} and log_policy {list(log_policy.shape)}"
        raise ConfigError(f"{shapes}; allowed: [T,M,A] and [T,M].")
    messages = symbols("messages", messages, "[T]", 0, num_messages - 1)
    actions = symbols("actions", actions, "[T]", 0, num_actions - 1)
    for name, given in (("messages", messages), ("actions", actions)):
        if len(given) != steps:
            raise ConfigError(f"{name} has {len(given)} steps and log_answers {steps}; allowed: as many.")
    if not (np.isfinite(np.exp(log_policy)).all() and (np.exp(log_policy).sum(axis=0) > 0).any()):
        raise ConfigError("log_policy is not of probabilities; allowed: their logarithms.")
    draws, seed = whole("draws", draws), random_seed(seed)
    answers = np.exp(log_answers)
    steps = np.arange(len(messages))

    def selected(messages, actions, policy):
        marginal = np.log(np.einsum("tm,tma->ta", policy, answers))
        influence = (answers[steps, messages] * (log_answers[steps, messages] - marginal)).sum(axis=-1)
        moments = influential_moments(influence[:, None, None])[:, 0]
        return mutual_information(messages[moments], actions[moments]) if moments.any() else float("nan")

    policy = np.exp(log_policy)
    overall = np.broadcast_to(policy.mean(axis=0), policy.shape)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(draws):
        drawn = rng.choice(policy.shape[1], size=len(steps), p=overall[0] / overall[0].sum())
        level = rng.random((len(steps), 1)) * answers[steps, drawn].sum(axis=-1, keepdims=True)
        answered = (answers[steps, drawn].cumsum(axis=-1) < level).sum(axis=-1)
        null.append(selected(drawn, answered, overall))
    return against_null(selected(messages, actions, policy), null, "no message has any influence")


def value_of_messages(
    returns: ArrayLike, scrambled_returns: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Estimate, float]:
    """Return the value of messages: the mean of ``returns f[P]`` of episodes minus that of ``scrambled_returns f[P]``.

    The result is an estimate with Welch's interval and the p-value of a permutation test. Near 0, nobody benefits from
    listening. `influence_jax.evaluate` plays the episodes with replaced messages under
    `influence_jax.influence.communication.scrambled`.

    Example:
        >>> difference, p = analysis.value_of_messages([10, 11, 12], [1, 2, 3])
        >>> difference.value
        9.0
    """
    returns = numbers("returns", returns, "[P]", empty=True)
    scrambled_returns = numbers("scrambled_returns", scrambled_returns, "[P]", empty=True)
    return welch_interval(returns, scrambled_returns, confidence), permutation_test(returns, scrambled_returns)


def _episodes(symbols: np.ndarray) -> np.ndarray:
    """Return symbols as ``i[P,T,N]``."""
    symbols = np.asarray(symbols)
    return symbols.reshape(-1, *symbols.shape[-2:])


def _refuse_short(name: str, symbols: np.ndarray) -> None:
    """Refuse episodes ``[P,T,N]`` that are too short to be shifted."""
    if symbols.shape[1] < 2 * MIN_SHIFT:
        raise ConfigError(
            f"{name} has episodes of {symbols.shape[1]} steps; allowed: {2 * MIN_SHIFT} or more, for shifts by "
            f"{MIN_SHIFT} steps or more."
        )


def _shifts(symbols: np.ndarray, draws: int, seed: int):
    """Yield ``symbols [P,T,N]`` shifted in time, independently for each agent and episode."""
    length = symbols.shape[1]
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        offsets = rng.integers(MIN_SHIFT, length - MIN_SHIFT + 1, size=(symbols.shape[-1], len(symbols)))
        yield np.stack([shifted(symbols[..., n], offset) for n, offset in enumerate(offsets)], axis=-1)


def _padded_counts(x: np.ndarray, y: np.ndarray, num_x: int, num_y: int) -> np.ndarray:
    counts = joint_counts(x, y)
    return np.pad(counts, ((0, num_x - counts.shape[0]), (0, num_y - counts.shape[1])))
