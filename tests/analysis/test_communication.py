"""Measures of communication against calculations by hand, and the selection bias of influential moments."""

import numpy as np
import pytest

from influence_jax.analysis import communication
from influence_jax.analysis.communication import (
    coordination_in_moments,
    entropy,
    instantaneous_coordination,
    joint_counts,
    mutual_information,
    selection_null,
    speaker_consistency,
    value_of_messages,
)
from influence_jax.settings import ConfigError


def test_entropy_and_counts_by_hand():
    assert entropy([1, 1, 2]) == pytest.approx(1.5 * np.log(2))
    np.testing.assert_allclose(entropy([[1, 1], [4, 0]], axis=1), [np.log(2), 0])
    assert joint_counts([0, 0, 1, -1], [1, 1, 0, 0]).tolist() == [[0, 2], [1, 0]]


def test_mutual_information_by_hand():
    """Six of eight agree: log 2 - H(1/4)."""
    x, y = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 0]
    h = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert mutual_information(x, y) == pytest.approx(np.log(2) - h)
    assert mutual_information([0, 1, 2, 0], [2, 0, 1, 2]) == pytest.approx(1.5 * np.log(2))
    assert mutual_information([0, 0, 1, 1], [0, 1, 0, 1]) == 0


def test_few_steps_of_nothing_look_like_something():
    rng = np.random.default_rng(0)
    nothing = {n: np.mean([mutual_information(*rng.integers(9, size=(2, n))) for _ in range(50)]) for n in (100, 1000)}
    assert nothing[1000] == pytest.approx(0.032, abs=0.004) and nothing[100] == pytest.approx(0.38, abs=0.02)


def test_speaker_consistency_by_hand():
    """Agent 0 says what it does; agent 1 has three messages in turn for each of its actions: H(message | action) = log 3."""
    steps = np.arange(1200)
    action = np.stack([steps % 2, steps % 2], axis=-1)
    message = np.stack([steps % 2, 3 * (steps % 2) + (steps // 2) % 3], axis=-1)
    found = speaker_consistency(message, action, num_messages=6, num_actions=2)
    np.testing.assert_allclose(found.agents, [1, 0.5 * (1 + 1 - np.log(3) / np.log(6))])
    np.testing.assert_allclose(found.weighted, found.agents)
    np.testing.assert_allclose(found.vocabulary, [2, 6])
    assert found.score.value == pytest.approx(found.agents.mean())


def test_rare_symbols_do_not_count():
    """Message 1 is said 10 times, once with each action: left out, but for the weighted score of actions."""
    action = np.r_[np.zeros(590, int), np.arange(10) % 2]
    message = np.r_[np.zeros(590, int), np.ones(10, int)]
    found = speaker_consistency(message[:, None], action[:, None], 2, 2)
    h = lambda p: -p * np.log(p) - (1 - p) * np.log(1 - p)  # noqa: E731
    assert found.agents[0] == pytest.approx(0.5 * (1 + 1 - h(5 / 595) / np.log(2)))


def test_weights_are_how_often_symbols_are_used():
    """Message 0 (300 times) means action 0; message 1 (100 times) says nothing of the action."""
    message, action = np.repeat([0, 1, 1], [300, 50, 50]), np.repeat([0, 0, 1], [300, 50, 50])
    found = speaker_consistency(message[:, None], action[:, None], 2, 2)
    of_action_0 = 1 - entropy([300, 50]) / np.log(2)
    assert found.agents[0] == pytest.approx(0.5 * ((1 + 0) / 2 + (of_action_0 + 1) / 2))
    assert found.weighted[0] == pytest.approx(0.5 * (300 / 400 + (350 * of_action_0 + 50) / 400))


def test_speakers_at_random_are_no_more_consistent_than_their_null():
    rng = np.random.default_rng(0)
    action, noise = rng.integers(4, size=(2, 5, 400, 3))
    none = speaker_consistency(noise, action, 4, 4).score
    assert none.value < 0.01 and none.p > 0.05
    told = speaker_consistency(np.where(rng.random(action.shape) < 0.3, action, noise), action, 4, 4).score
    assert told.p < 0.02 and told.z > 10


def test_coordination_by_hand():
    """Agent 1 does what agent 0 said, one step later; nothing else depends on anything."""
    rng = np.random.default_rng(0)
    message, action = rng.integers(4, size=(2, 6, 500, 3))
    action[:, 1:, 1] = message[:, :-1, 0]
    found = instantaneous_coordination(message, action)
    assert found.best_pair == (0, 1) and found.score.p < 0.02
    assert found.pairs[0, 1] == pytest.approx(entropy(np.bincount(message[:, :-1, 0].ravel())))
    assert np.delete(found.pairs, 1).max() < 0.01 and np.diag(found.pairs).max() == 0


def test_steps_of_different_episodes_are_not_neighbours():
    message = np.array([[[0, 0]] * 60 + [[1, 0]] * 60] * 2)
    action = np.roll(message[..., ::-1], 1, axis=1)
    action[:, 0] = 0  # the first action answers nothing
    assert instantaneous_coordination(message, action).pairs[0, 1] == pytest.approx(entropy([120, 118]))


def test_what_is_slow_is_no_coordination():
    """Independent signals that stay for 50 steps give ten times the value of fast ones, and so do the nulls."""
    values, ps = [], []
    for seed in range(10):
        slow = np.repeat(np.random.default_rng(seed).integers(3, size=(2, 2, 20, 2)), 50, axis=2)
        found = instantaneous_coordination(*slow, draws=40)
        values.append(found.score.value)
        ps.append(found.score.p)
    assert np.mean(values) > 10 * (3 - 1) ** 2 / (2 * 2000) and sum(p < 0.05 for p in ps) <= 2


def test_short_episodes_are_refused():
    with pytest.raises(ConfigError, match="sent has episodes of 20 steps; allowed: 102 or more"):
        instantaneous_coordination(np.zeros((20, 2), int), np.zeros((20, 2), int))
    with pytest.raises(
        ConfigError, match=r"messages has values from 4 to 4; allowed: whole numbers from .* to 1 \[...,T,N\]"
    ):
        speaker_consistency(np.full((200, 1), 4), np.zeros((200, 1), int), 2, 2)


SYMBOLS, STEPS = 9, 2000


def noise_that_is_listened_to(seed=0):
    """Messages at random, and a listener that often follows them in a tenth of the steps, else does anything."""
    rng = np.random.default_rng(seed)
    message, own = rng.integers(SYMBOLS, size=STEPS), rng.integers(3, size=STEPS)
    sensitive = rng.random(STEPS) < 0.1
    answers = np.full((STEPS, SYMBOLS, SYMBOLS), 1 / SYMBOLS)
    answers[sensitive] = 0.55 / SYMBOLS + 0.45 * np.eye(SYMBOLS)
    policy = answers[np.arange(STEPS), message]
    answer = (policy.cumsum(axis=1) < rng.random((STEPS, 1))).sum(axis=1)
    influence = np.zeros((STEPS + 1, 2, 2))
    influence[:-1, 0, 1] = (policy * np.log(policy * SYMBOLS)).sum(axis=1)  # KL from the marginal, which is uniform
    messages = np.stack([message, np.zeros_like(message)], axis=-1)
    actions = np.stack([np.r_[own, 0], np.r_[0, answer]], axis=-1)
    return np.concatenate([messages, messages[-1:]]), actions, influence, answers


def test_selecting_influential_moments_makes_coordination_of_meaningless_messages():
    messages, actions, influence, answers = noise_that_is_listened_to()
    found = coordination_in_moments(messages, actions, influence, speaker=0, listener=1)
    # the artefact: from nearly nothing to a great deal, part of which is due to few steps
    assert found.steps == pytest.approx(200, abs=30)
    assert found.all_steps == pytest.approx(0.026, abs=0.01) and found.selected == pytest.approx(0.65, abs=0.1)
    assert found.random_subset.null_mean == pytest.approx(0.18, abs=0.04)
    assert found.shuffled.null_mean == pytest.approx(0.19, abs=0.04)
    # above the bias of few steps, but not above what random messages give
    assert found.shuffled.p < 0.01
    uniform = np.full((STEPS, SYMBOLS), -np.log(SYMBOLS))
    chosen_again = selection_null(messages[:-1, 0], actions[1:, 1], np.log(answers), uniform)
    assert chosen_again.value == pytest.approx(found.selected) and chosen_again.p > 0.05


def test_selection_couples_random_messages_to_the_state():
    """A listener does as the state says, and hardly heeds messages, which are random; 1e-5 nats decide which moments count."""
    rng = np.random.default_rng(0)
    steps, state, message = np.arange(STEPS), *rng.integers(2, size=(2, STEPS))
    certainty = np.where(np.arange(2) == state[:, None], 1 - 1e-6, 1 - 1e-4)  # f64[T,M], of doing as the state says
    answers = np.where(np.arange(2) == state[:, None, None], certainty[..., None], 1 - certainty[..., None])  # [T,M,A]
    policy = answers[steps, message]
    answer = (policy[:, 0] < rng.random(STEPS)).astype(int)
    influence = np.zeros((STEPS + 1, 2, 2))
    influence[:-1, 0, 1] = (policy * np.log(policy / answers.mean(axis=1))).sum(axis=1)
    assert influence.mean() < 1e-4
    messages, actions = (
        np.stack([np.r_[x, 0], np.r_[0, y]], axis=-1) for x, y in ((message, message), (state, answer))
    )
    found = coordination_in_moments(messages, actions, influence, speaker=0, listener=1)
    assert found.all_steps < 0.01 and found.selected > 0.6 and found.shuffled.p < 0.01
    assert selection_null(message, answer, np.log(answers), np.full((STEPS, 2), -np.log(2))).p > 0.05


def test_who_speaks_up_when_it_is_heard_does_better_than_by_lot():
    rng = np.random.default_rng(0)
    sensitive, steps = rng.random(STEPS) < 0.1, np.arange(STEPS)
    policy = np.where(sensitive[:, None], 1 / 4, np.array([0.97, 0.01, 0.01, 0.01]))
    answers = np.where(sensitive[:, None, None], 0.1 / 4 + 0.9 * np.eye(4), 1 / 4)
    message = (policy.cumsum(axis=1) < rng.random((STEPS, 1))).sum(axis=1)
    answer = (answers[steps, message].cumsum(axis=1) < rng.random((STEPS, 1))).sum(axis=1)
    found = selection_null(message, answer, np.log(answers), np.log(policy))
    assert found.value > 0.8 and found.z > 2 and found.p < 0.05


def test_influence_that_is_not_there_is_refused():
    messages, actions, influence, _ = noise_that_is_listened_to()
    with pytest.raises(ConfigError, match="influence of agent 1 is 0 in all steps"):
        coordination_in_moments(messages, actions, influence, 1, 0)


def test_value_of_messages():
    worth, p = value_of_messages([10.0, 11, 12, 13, 14], [0.0, 1, 2, 3, 4])
    assert worth.value == 10 and worth.low > 5 and p == pytest.approx(2 / 252)


def test_every_measure_has_a_shift_of_its_own():
    assert communication.MIN_SHIFT > 50


def test_symbols_that_are_never_said_prove_nothing():
    rng = np.random.default_rng(0)
    actions, silence = rng.integers(4, size=(400, 2)), np.full((400, 2), -1)
    found = speaker_consistency(silence, actions, 4, 4)
    assert np.isnan([*found.agents, found.score.value, found.score.p]).all()
    assert found.score.note == "agents [0, 1] use no message, or no action, 50 times"
    one_speaks = np.stack([actions[:, 0], silence[:, 1]], axis=-1)
    found = speaker_consistency(one_speaks, actions, 4, 4)
    assert found.agents[0] == 1 and np.isnan(found.score.p) and "agents [1]" in found.score.note
    nobody = instantaneous_coordination(silence, actions)
    assert np.isnan([nobody.score.value, nobody.score.p]).all() and nobody.score.note == "no agent sends anything"
    assert instantaneous_coordination(one_speaks, actions).best_pair == (0, 1)
    for constant in (silence, np.zeros_like(silence)):
        assert instantaneous_coordination(constant, actions, draws=2).best_pair == (0, 1)  # never an agent with itself
    assert np.isnan(mutual_information([-1, 0], [0, -1]))
    even = np.full((400, 4, 4), -np.log(4))
    deaf = selection_null(actions[:, 0], actions[:, 1], even, even[:, 0], draws=5)
    assert np.isnan([deaf.value, deaf.p]).all() and deaf.note == "no message has any influence"


def test_symbols_may_be_large():
    assert mutual_information([10**12, 5, 10**12, 5], [0, 1, 0, 1]) == pytest.approx(np.log(2))
