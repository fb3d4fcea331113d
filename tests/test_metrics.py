"""Social metrics and sums over episodes against hand values."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax import metrics
from influence_jax.analysis import social


def test_equality_by_hand():
    returns = jnp.array([[5.0, 5.0, 5.0, 5.0], [8.0, 0.0, 0.0, 0.0], [-1.0, -1.0, 0.0, 1.0], [1.0, 3.0, 0.0, 0.0]])
    # Gini of (1, 3, 0, 0): the twelve ordered differences add up to 20, over 2 * 4 * 4.
    np.testing.assert_allclose(metrics.equality(returns), [1.0, 0.25, 0.0, 1 - 20 / 32], atol=1e-6)


def test_sustainability_and_peace_are_those_of_analysis():
    rng = np.random.default_rng(0)
    apples, hits = rng.integers(3, size=(9, 4, 2)).astype(np.float32), rng.integers(2, size=(9, 4, 2))
    apples[:, 0] = 0  # nobody eats
    apples[:, 1, 0] = 0  # one agent eats nothing
    times = np.tile(np.arange(9)[:, None], 4)
    found = metrics.sustainability(jnp.array(apples), jnp.array(times, jnp.int32))
    np.testing.assert_allclose(found, social.sustainability(apples.swapaxes(0, 1)), rtol=1e-6)
    played = times < 6  # the rest belongs to another episode
    found = metrics.peace(jnp.array(hits, jnp.float32), jnp.array(played))
    np.testing.assert_allclose(found, social.peace(hits[:6].swapaxes(0, 1)), rtol=1e-6)


def test_episode_tally_counts_whole_episodes_only():
    """Environment 0 is joined part-way, ends at step 1, idles, and completes its second episode at step 5."""
    reward = jnp.array([1, 2, 0, 4, 8, 16, 0.0])[:, None, None]
    first = jnp.array([0, 0, 0, 1, 0, 0, 0], bool)[:, None]
    ended = jnp.array([0, 1, 0, 0, 0, 1, 0], bool)[:, None]
    episode_sums = metrics.init_episode_sums(1, 1, ("apples",), jnp.array([False]))
    _, sums, finished = metrics.add_episodes(episode_sums, reward, {"apples": 2 * reward}, first, ended)
    np.testing.assert_array_equal(finished[:, 0], [False] * 5 + [True, False])
    assert sums.reward[5, 0, 0] == 4 + 8 + 16 and sums.metrics["apples"][5, 0, 0] == 2 * 28


def test_means_add_up_over_updates_and_empty_ones_are_nan():
    parts = [
        metrics.mean_over(jnp.array([1.0, 5.0, 9.0]), jnp.array(m)) for m in ([True, True, False], [False, False, True])
    ]
    whole = jax.tree.map(jnp.add, *parts)
    assert parts[0].value() == 3 and whole.value() == 5
    assert jnp.isnan(metrics.mean_over(jnp.ones(2), jnp.zeros(2, bool)).value())
