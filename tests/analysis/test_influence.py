"""Influence statistics against calculations by hand."""

import numpy as np
import pytest

from influence_jax.analysis.influence import (
    event_locked,
    influence_by_action,
    influence_statistics,
    influential_moments,
    policy_entropy,
    shifted,
    strongest_moments,
)
from influence_jax.settings import ConfigError

# Four steps of two agents: agent 0 influences once, agent 1 always alike.
INFLUENCE = np.zeros((4, 2, 2))
INFLUENCE[2, 0, 1] = 0.8
INFLUENCE[:, 1, 0] = 0.1


def test_statistics_by_hand():
    log_policy = np.log(np.broadcast_to(np.array([[0.5, 0.5], [0.25, 0.75]]), (4, 2, 2)))
    found = influence_statistics(INFLUENCE, log_policy)
    np.testing.assert_allclose(found.pairs, [[0, 0.2], [0.1, 0]])
    np.testing.assert_allclose(found.mean, [0.2, 0.1])
    np.testing.assert_allclose(found.sparsity, [0.25, 0])
    np.testing.assert_allclose(found.concentration, [0.75, 0], atol=1e-12)
    entropies = [np.log(2), 0.25 * np.log(4) + 0.75 * np.log(4 / 3)]
    np.testing.assert_allclose(found.entropy, entropies)
    np.testing.assert_allclose(found.share_of_bound, [0.2 / entropies[0], 0.1 / entropies[1]])
    assert influence_statistics(INFLUENCE).entropy is None


def test_episodes_count_alike():
    both = influence_statistics(np.stack([INFLUENCE, 3 * INFLUENCE]))
    np.testing.assert_allclose(both.mean, [0.4, 0.2])


def test_a_policy_without_choice_has_no_entropy():
    with np.errstate(divide="ignore"):
        assert policy_entropy(np.log([1.0, 0.0])) == 0


def test_influential_moments_are_those_above_the_own_mean():
    assert influential_moments(INFLUENCE)[:, 0].tolist() == [False, False, True, False]
    assert influential_moments(INFLUENCE)[:, 1].all()  # always at its mean
    assert not influential_moments(np.zeros((3, 2, 2))).any()


def test_strongest_moments():
    assert strongest_moments(INFLUENCE, 2) == [(2, 0, 1, 0.8), (0, 1, 0, 0.1)]
    assert len(strongest_moments(INFLUENCE, 16)) == 5  # the others are 0


def test_influence_by_action():
    actions = np.array([[0, 2], [1, 2], [1, 2], [1, 0]])
    found = influence_by_action(INFLUENCE, actions, 4)
    np.testing.assert_allclose(found["share_of_actions"], [2 / 8, 3 / 8, 3 / 8, 0])
    np.testing.assert_allclose(found["influence"], [0.1 / 2, 0.8 / 3, 0.3 / 3, np.nan])
    np.testing.assert_allclose(found["share_of_influence"], [0.1 / 1.2, 0.8 / 1.2, 0.3 / 1.2, 0])
    with pytest.raises(ConfigError, match="actions"):
        influence_by_action(INFLUENCE, actions, 2)


def test_shifts_go_round_the_episode():
    values = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    assert shifted(values, [1, 0]).tolist() == [[3, 0, 1, 2], [4, 5, 6, 7]]


def test_event_locked_finds_a_spike_and_the_null_does_not():
    values, events = np.zeros((2, 50)), np.zeros((2, 50), bool)
    events[0, 10] = events[1, [2, 30]] = True
    values[:, 1:][events[:, :-1]] = 1  # one step after the event
    locked = event_locked(values, events, around=3)
    assert locked.offsets.tolist() == [-3, -2, -1, 0, 1, 2, 3] and locked.events == 3
    np.testing.assert_allclose(locked.mean, [0, 0, 0, 0, 1, 0, 0])
    assert locked.null_mean.max() < 0.2 and locked.mean[4] > locked.null_high[4]


def test_an_event_at_the_edge_has_no_step_before():
    locked = event_locked(np.array([1.0, 2.0]), np.array([True, False]), around=1)
    np.testing.assert_array_equal(locked.mean, [np.nan, 1, 2])


def test_events_that_never_happen_are_refused():
    with pytest.raises(ConfigError, match="events are never true"):
        event_locked(np.zeros(5), np.zeros(5, bool))


def test_the_band_of_the_null_is_that_of_its_level():
    values = np.random.default_rng(0).normal(size=300)
    wide, narrow = (event_locked(values, values > 2, around=1, draws=500, confidence=c) for c in (0.95, 0.5))
    assert (wide.null_low < narrow.null_low).all() and (narrow.null_high < wide.null_high).all()
    events = (values > 2).sum()
    np.testing.assert_allclose(narrow.null_high - narrow.null_mean, 0.674 / np.sqrt(events), rtol=0.3)


def test_they_print_in_a_few_lines():
    statistics = influence_statistics(INFLUENCE)
    assert len(repr(statistics).splitlines()) == 2 + 2 and "share_of_bound" not in repr(statistics)
    assert [row["mean"] for row in statistics.rows()] == statistics.mean.tolist()
    assert statistics._repr_html_().count("<tr>") == 3
    values, events = np.zeros(300), np.zeros(300, bool)
    events[[10, 30]] = values[[11, 31]] = True
    locked = event_locked(values, events, around=1)
    said = "outside 95 % of events shifted in time at 1"
    assert repr(locked) == f"EventLocked, -1 to 1 steps from 2 events; {said}"
    assert locked.rows()[2]["mean"] == 1 and locked._repr_html_().count("<tr>") == 4
