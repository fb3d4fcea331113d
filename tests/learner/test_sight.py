"""Agents' sight and their knowledge of each other, against NumPy and against both ends of each scale."""

import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.learner.sight import activity, moa_metrics, share_of_the_knowable, sight, sight_metrics
from influence_jax.networks.recurrent import Carry
from influence_jax.types import CachedActivations
from tests.networks.worlds import network


def test_sight_by_hand():
    """A different certain action at each of two moments is log 2; a single moment, or the same policy at both, is 0."""
    sharp = jnp.log(jnp.array([[0.999999, 1e-6], [1e-6, 0.999999]]))
    np.testing.assert_allclose(sight(sharp, jnp.array([True, True])), np.log(2), atol=1e-4)
    np.testing.assert_allclose(sight(sharp, jnp.array([True, False])), 0.0, atol=1e-6)
    np.testing.assert_allclose(sight(sharp[:1].repeat(2, axis=0), jnp.array([True, True])), 0.0, atol=1e-6)


def test_sight_of_what_is_impossible():
    """Probabilities that are 0 in float32 always, at one moment or at all that count change nothing."""
    likely = jnp.array([[0.0, -1e9], [-1e9, 0.0]])
    np.testing.assert_allclose(sight(likely, jnp.array([True, True])), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(sight(likely, jnp.array([True, False])), 0.0, atol=1e-6)
    for never in (-85.0, -87.0, -95.0, -1e9):
        policies = jnp.array([[np.log(0.2), np.log(0.8), never], [np.log(0.8), np.log(0.2), never]])
        np.testing.assert_allclose(sight(policies, jnp.array([True, True])), 0.192745, rtol=1e-5)


def test_sight_of_a_rollout_counts_valid_steps_of_each_agent(played):
    _, trajectory, _ = played
    found = sight_metrics(trajectory)["agent_sight"].value()
    policy, valid = np.exp(trajectory.actor_output.log_policy["action"], dtype=np.float64), np.asarray(trajectory.valid)
    assert not valid.all()
    for agent in range(3):
        moments = policy[valid, agent]
        mean = moments.mean(axis=0)
        information = (moments * np.log(moments / mean)).sum(axis=-1).mean()
        np.testing.assert_allclose(found[agent], information, rtol=1e-3, atol=1e-8)


def test_units_by_hand():
    hidden = jnp.array([[[0.96, -0.99, 0.5, 0.0]], [[0.1, -0.97, 0.2, 0.94]]])  # [E,N,H]
    features = jnp.array([[[1.0, 2.0]], [[1.0, 3.0]]])
    seen = activity(network(num_actions=2), {"policy": CachedActivations(features, Carry(hidden, 3 * hidden))})[
        "policy"
    ]
    np.testing.assert_allclose(seen.saturated, [3 / 8])
    np.testing.assert_array_equal(seen.highest - seen.lowest, [[0.0, 1.0]])


@pytest.mark.parametrize(("knows", "share"), [("policies", 1.0), ("frequencies", 0.0)])
def test_a_model_knows_all_or_nothing(played, knows, share):
    """Predictions are the policies of the next step, or their means over the moments that count."""
    _, trajectory, _ = played
    follows = np.asarray(trajectory.valid[:-1] & trajectory.valid[1:] & ~trajectory.first[1:])
    policy = np.exp(np.asarray(trajectory.actor_output.log_policy["action"], np.float64))
    # Sharper by turns, so that there is something to know; all see all on this probe.
    policy[::2, ..., 0] += 3.0
    policy /= policy.sum(axis=-1, keepdims=True)
    guess = np.roll(policy, -1, axis=0)
    if knows == "frequencies":
        guess = np.broadcast_to(guess[:-1][follows].mean(axis=0), guess.shape)
    predicted = np.stack([guess[:, :, [j for j in range(3) if j != k]] for k in range(3)], axis=2)
    output = trajectory.actor_output.replace(
        log_policy={"action": jnp.log(jnp.asarray(policy, jnp.float32))},
        predicted=jnp.log(jnp.asarray(predicted, jnp.float32)),
    )
    logs = {
        name: mean.value()
        for name, mean in moa_metrics(trajectory.replace(actor_output=output), output.predicted[:-1]).items()
    }
    np.testing.assert_allclose(share_of_the_knowable(logs)["agent_share_of_knowable"], share, atol=1e-3)
    assert logs["moa_marginal_cross_entropy"] - logs["moa_policy_entropy"] > 0.1
