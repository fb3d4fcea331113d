"""Correlations of influence and reward against calculations by hand, and cases in which only one of the two readings holds."""

import numpy as np
import pytest
from scipy import stats

from influence_jax.analysis.correlation import influence_and_reward, partial_correlation
from influence_jax.settings import ConfigError


def test_correlations_by_hand():
    """Means over agents are 1, 2, 3, 5 and 1, 3, 2, 5; within conditions agents are opposed."""
    x, y = np.array([1.0, 2, 3, 5]), np.array([1.0, 3, 2, 5])
    apart = np.array([-0.5, 0.5])
    found = influence_and_reward(x[:, None] + apart, y[:, None] - apart)
    # deviations -1.75, -.75, .25, 2.25 and -1.75, .25, -.75, 2.25: products sum to 7.75, squares to 8.75
    assert found.across.value == pytest.approx(7.75 / 8.75)
    z = np.arctanh(7.75 / 8.75)
    assert found.across.low == pytest.approx(np.tanh(z - 1.959964), abs=1e-6)
    assert found.across_rank == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert found.within.value == pytest.approx(-1)
    assert np.isnan(found.across_given_weight)


def test_the_papers_interval():
    """.34 of 100 conditions: .15 to .50, p = 5e-4."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    y = rng.normal(size=100)
    x = (x - x.mean()) / x.std()
    y = y - y.mean() - x * (x @ y) / (x @ x)
    y = 0.34 * x + np.sqrt(1 - 0.34**2) * y / y.std()
    found = influence_and_reward(x[:, None].repeat(2, 1), y[:, None].repeat(2, 1))
    assert found.across.value == pytest.approx(0.34)
    assert [found.across.low, found.across.high] == pytest.approx([0.15, 0.50], abs=0.01) and found.across_p < 0.01


def test_partial_correlation_by_hand():
    assert partial_correlation([1, 2, 3, 4], [1, 2, 3, 4], [0, 0, 1, 1]) == pytest.approx(1)
    given = np.array([0.0, 0, 1, 1])
    x, y = given + np.array([0.1, -0.1, 0.1, -0.1]), given + np.array([0.1, -0.1, -0.1, 0.1])
    assert np.corrcoef(x, y)[0, 1] > 0.9 and partial_correlation(x, y, given) == pytest.approx(0, abs=1e-9)
    assert np.isnan(partial_correlation([1, 2], [1, 2], [1, 2]))


def test_runs_that_learned_anything_have_both():
    """A condition's common factor drives both; its agents differ by chance. Only the reading within conditions shows that."""
    rng = np.random.default_rng(0)
    learned = rng.random((100, 1))
    received, returns = (learned + 0.3 * rng.normal(size=(100, 5)) for _ in range(2))
    found = influence_and_reward(received, returns, weights=learned[:, 0])
    assert found.across.value > 0.7 and found.across_p < 0.01
    assert found.within_p > 0.05 and found.within.low < 0 < found.within.high
    assert abs(found.across_given_weight) < 0.25 and abs(found.agents_given_return) < 0.25


def test_agents_that_gain_are_seen_within():
    rng = np.random.default_rng(0)
    received = rng.random((100, 5))
    found = influence_and_reward(received, received + 0.3 * rng.normal(size=(100, 5)))
    assert found.within.low > 0 and found.within_p < 0.01


def test_the_null_within_exchanges_agents_and_not_conditions():
    """Agent 0 is influenced most and earns most in every condition, and nothing else goes together."""
    rng = np.random.default_rng(0)
    first = 3.0 * (np.arange(5) == 0)
    received, returns = (first + rng.normal(size=(20, 5)) for _ in range(2))
    assert influence_and_reward(received, returns).within_p < 0.01


def test_few_conditions_are_refused():
    with pytest.raises(
        ConfigError, match="received and returns have 3 conditions that are finite; allowed: at least 4"
    ):
        influence_and_reward(np.ones((3, 2)), np.ones((3, 2)))


def test_influence_that_is_always_0_proves_nothing():
    returns = np.random.default_rng(0).normal(size=(30, 5))
    found = influence_and_reward(np.zeros((30, 5)), returns)
    numbers = [found.across.value, found.across.low, found.across_p, found.across_rank, found.within.value]
    assert np.isnan([*numbers, found.within.low, found.within_p, found.agents_given_return]).all()
    assert found.notes[0] == "across: received does not vary"
    assert found.notes[1] == "within: 30 conditions are left out, all of whose agents are alike"
    # the mean of the same numbers in another order differs by its rounding, which is no influence either
    same = np.random.default_rng(1).permuted(np.tile([0.1, 0.2, 0.3, 0.7, 1.1], (30, 1)), axis=1)
    assert np.ptp(same.mean(axis=1)) > 0 and np.isnan(influence_and_reward(same, returns, draws=9).across_p)


def test_conditions_that_are_not_finite_are_left_out():
    rng = np.random.default_rng(0)
    received, returns = rng.random((2, 30, 5))
    broken = received.copy()
    broken[3, 1] = np.nan
    kept = np.delete(received, 3, axis=0), np.delete(returns, 3, axis=0)
    found, wanted = influence_and_reward(broken, returns), influence_and_reward(*kept)
    assert found.notes == ("conditions [3] are not finite and left out",) and found.across == wanted.across
    assert (found.within, found.across_p, found.within_p) == (wanted.within, wanted.across_p, wanted.within_p)


def test_within_is_the_mean_over_conditions_with_students_interval_of_z():
    rng = np.random.default_rng(0)
    received = rng.random((25, 4))
    returns = received + 0.5 * rng.random((25, 4))
    each = np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(received, returns, strict=True)])
    half = stats.t.ppf(0.975, 24) * each.std(ddof=1) / 5 / (1 - each.mean() ** 2)
    found = influence_and_reward(received, returns, draws=20).within
    assert found.value == pytest.approx(each.mean())
    assert [found.low, found.high] == pytest.approx(np.tanh(np.arctanh(each.mean()) + half * np.array([-1, 1])))
    for few in ((received[:19], returns[:19]), (received[:, :2], returns[:, :2])):
        found = influence_and_reward(*few, draws=20)
        assert np.isnan(found.within.low) and np.isfinite(found.within.value)
        assert found.notes == ("within: no interval below 20 conditions of 3 agents that differ",)
