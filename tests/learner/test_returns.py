"""Returns, losses, reward mixing and scaling against hand values and slow loops."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from influence_jax import metrics, rewards
from influence_jax.config import Hyperparams
from influence_jax.learner.losses import (
    clipped_surrogate,
    clipped_value_loss,
    masked_mean,
    policy_gradient,
    value_loss,
)
from influence_jax.learner.optimizer import OPTIMIZERS, apply_gradients, clip_by_module, learning_rate
from influence_jax.learner.returns import advantages, lambda_returns

pytestmark = pytest.mark.usefixtures("compile_quickly")


def slow_advantages(reward, discount, value, bootstrap, truncated, gamma, lam):
    """Generalised advantage estimation from its definition, as a sum over temporal-difference errors."""
    steps = len(reward)
    following = [*value[1:], bootstrap]
    errors = [reward[t] + gamma * discount[t] * following[t] - value[t] for t in range(steps)]
    result = []
    for start in range(steps):
        total, factor = 0.0, 1.0
        for t in range(start, steps):
            total += factor * errors[t]
            factor *= 0.0 if truncated[t] else gamma * discount[t] * lam
        result.append(total)
    return np.array(result)


@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
def test_advantages_are_generalised_advantage_estimation(lam):
    rng = np.random.default_rng(0)
    reward, value = rng.normal(size=(2, 9))
    discount = np.array([1, 1, 0, 1, 1, 1, 1, 1, 1.0])
    truncated = np.array([0, 0, 0, 0, 0, 1, 0, 0, 0], bool)
    advantage, target = advantages(
        *(jnp.asarray(x, jnp.float32) for x in (reward, discount, value)), 0.7, jnp.asarray(truncated), 0.9, lam
    )
    expected = slow_advantages(reward, discount, value, 0.7, truncated, 0.9, lam)
    np.testing.assert_allclose(advantage, expected, atol=1e-5)
    np.testing.assert_allclose(target, expected + value, atol=1e-5)


def test_return_by_hand():
    """Rewards 1, 2, 4; the game ends with the second; the third is followed by a state worth 8."""
    args = (jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, 0.0, 0.5]), jnp.array([9.0, 9.0, 8.0]), jnp.ones(3))
    np.testing.assert_allclose(lambda_returns(*args), [2.0, 2.0, 8.0])


def test_reaching_the_horizon_bootstraps_from_the_final_state():
    """Step 1 reaches the horizon: its return uses the value 10 of the state after it, and nothing later."""
    value, reward = jnp.array([0.0, 0.0, 10.0, 3.0]), jnp.array([1.0, 1.0, 100.0, 100.0])
    truncated = jnp.array([False, True, False, False])
    _, target = advantages(reward, jnp.ones(4), value, 0.0, truncated, 0.9, 1.0)
    np.testing.assert_allclose(target[:2], [1 + 0.9 * (1 + 0.9 * 10), 1 + 0.9 * 10], rtol=1e-6)


def test_policy_gradient_by_hand():
    """Two steps, one masked: the gradient is that of ``-A log pi(a)`` at the first alone."""
    logits = jnp.log(jnp.array([[0.2, 0.8], [0.5, 0.5]]))
    mask, action, advantage = jnp.array([True, False]), jnp.array([1, 0]), jnp.array([3.0, 7.0])
    np.testing.assert_allclose(policy_gradient(logits, action, advantage, mask), -3 * np.log(0.8), rtol=1e-6)
    gradient = jax.grad(policy_gradient)(logits, action, advantage, mask)
    np.testing.assert_allclose(gradient, [[3 * 0.2, -3 * 0.2], [0, 0]], atol=1e-6)
    assert not jax.grad(lambda a: policy_gradient(logits, action, a, mask))(advantage).any()


def test_clipped_surrogate_by_hand():
    """Advantages 1 and -1 after centring and scaling; ratios 1.5 and 0.5, both clipped at 0.2 where that costs."""
    log_prob = jnp.log(jnp.array([0.4, 0.4]))
    logits = jnp.log(jnp.array([[0.6, 0.4], [0.2, 0.8]]))
    action, advantage, mask = jnp.array([0, 0]), jnp.array([5.0, 3.0]), jnp.ones(2, bool)
    loss = clipped_surrogate(logits, action, log_prob, advantage, mask, 0.2)
    np.testing.assert_allclose(loss, -(1.2 * 1 + 0.8 * -1) / 2, rtol=1e-5)
    unmoved = clipped_surrogate(logits, action, jnp.log(jnp.array([0.6, 0.2])), advantage, mask, 0.2)
    np.testing.assert_allclose(unmoved, 0.0, atol=1e-6)


def test_value_losses_by_hand():
    value, target, mask = jnp.array([0.5, 3.0, 9.0]), jnp.zeros(3), jnp.array([True, True, False])
    np.testing.assert_allclose(value_loss(value, target, mask, "squared"), (0.125 + 4.5) / 2)
    np.testing.assert_allclose(value_loss(value, target, mask, "huber"), (0.125 + 2.5) / 2)
    assert masked_mean(value, jnp.zeros(3, bool)) == 0


def test_a_value_beyond_its_clip_is_not_pulled_further():
    value, old, target = jnp.array([0.0, 2.0]), jnp.array([0.0, 1.0]), jnp.array([1.0, 5.0])

    def loss(value):
        return clipped_value_loss(value, old, target, jnp.ones(2, bool), 0.5, "squared")

    np.testing.assert_allclose(loss(value), (0.5 + 3.5**2 / 2) / 2)
    np.testing.assert_allclose(jax.grad(loss)(value), [-0.5, 0.0])


def test_clipping_is_by_global_norm_per_module_and_per_agent():
    gradients = {
        "encoder": jnp.array([[3.0], [0.3]]),
        "policy": jnp.array([[4.0], [0.4]]),
        "moa": jnp.array([[0.1], [60.0]]),
        "moa_head": jnp.array([[0.0], [80.0]]),
    }
    clipped, norms = jax.vmap(clip_by_module, in_axes=(0, None))(gradients, 1.0)
    np.testing.assert_allclose(norms["grad_norm_policy"], [5.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(norms["grad_norm_moa"], [0.1, 100.0], rtol=1e-6)
    np.testing.assert_allclose(clipped["encoder"][:, 0], [0.6, 0.3], rtol=1e-6)
    np.testing.assert_allclose(clipped["policy"][:, 0], [0.8, 0.4], rtol=1e-6)
    np.testing.assert_allclose(clipped["moa"][:, 0], [0.1, 0.6], rtol=1e-6)


def test_optimizers_take_their_textbook_first_step():
    params, gradients = {"x": jnp.array([1.0])}, {"x": jnp.array([0.5])}
    for name, scaled in (("rmsprop", 0.5 / np.sqrt(0.01 * 0.25 + 1e-5)), ("adam", 0.5 / (0.5 + 1e-5))):
        optimizer = OPTIMIZERS[name]()
        after, _, _ = apply_gradients(params, optimizer.init(params), gradients, optimizer, 0.1, 40.0)
        np.testing.assert_allclose(after["x"], 1 - 0.1 * scaled, rtol=1e-5)
    hparams = Hyperparams(learning_rate=1.0, learning_rate_end=0.2)
    np.testing.assert_allclose([learning_rate(hparams, p) for p in (0.0, 0.5, 1.0)], [1.0, 0.6, 0.2], rtol=1e-6)


def test_prosocial_by_hand():
    reward = jnp.array([[[1.0, 0.0, -50.0]]])
    shaped_reward = rewards.prosocial(reward, Hyperparams(prosocial_weight=0.5))
    np.testing.assert_allclose(shaped_reward[0, 0], [1 - 25, 0.5 - 25, -50 + 0.5])


def test_inequity_aversion_by_hand():
    """With smoothed rewards (10, 0, 0, 0, 0) agent 0 loses guilt * 10 and each other envy * 10 / 4."""
    reward = jnp.zeros((1, 1, 5)).at[..., 0].set(10.0)
    hparams = Hyperparams(envy=5.0, guilt=0.05)
    start, first = jnp.zeros((1, 5)), jnp.zeros((1, 1), bool)
    smoothed, shaped_reward = rewards.inequity_averse(start, reward, first, hparams)
    np.testing.assert_allclose(shaped_reward[0, 0], [10 - 0.5, *[-12.5] * 4], rtol=1e-6)
    # One step later without rewards the comparison has decayed by gamma * lambda; a new episode forgets it.
    decay = 0.99 * 0.975
    later, shaped_reward = rewards.inequity_averse(smoothed, jnp.zeros((1, 1, 5)), first, hparams)
    np.testing.assert_allclose(shaped_reward[0, 0], [-0.5 * decay, *[-12.5 * decay] * 4], rtol=1e-5)
    _, shaped_reward = rewards.inequity_averse(later, jnp.zeros((1, 1, 5)), ~first, hparams)
    assert not shaped_reward.any()


def test_curriculum_rises_linearly_then_stays():
    hparams = Hyperparams(influence_weight=2.0, influence_curriculum=0.4)
    np.testing.assert_allclose(
        [rewards.influence_weight(hparams, jnp.float32(p)) for p in (0.0, 0.1, 0.4, 1.0)], [0, 0.5, 2, 2], rtol=1e-6
    )
    at_once = hparams.replace(influence_curriculum=0.0)
    assert rewards.influence_weight(at_once, jnp.float32(0.0)) == 2.0


def test_reward_scale_is_the_fading_spread_of_discounted_returns(monkeypatch):
    """Weighted moments over all returns, the older half as heavy; never below 1; ratios kept."""
    monkeypatch.setattr(rewards, "RETURN_HALF_LIFE", 40)
    rng = np.random.default_rng(1)
    reward = rng.normal(size=(20, 4, 2)) * np.array([20.0, 0.01])
    first = rng.random((20, 4)) < 0.1
    total, returns = np.zeros((4, 2)), []
    for t in range(20):
        total = np.where(first[t][:, None], 0, total) * 0.9 + reward[t]
        returns.append(total)
    scale = rewards.init_scale(4, 2)
    for part in (slice(0, 10), slice(10, 20)):
        scale, scaled = rewards.scale_rewards(scale, jnp.float32(reward[part]), jnp.asarray(first[part]), 0.9)
    returns = np.array(returns)
    weights = np.repeat([1 / 3, 2 / 3], 10)[:, None, None] / 40
    mean = (weights * returns).sum(axis=(0, 1))
    std = np.sqrt((weights * (returns - mean) ** 2).sum(axis=(0, 1)))
    assert std[0] > 1 > std[1]
    np.testing.assert_allclose(scaled[..., 0], reward[10:, :, 0] / std[0], rtol=1e-4)
    np.testing.assert_allclose(scaled[..., 1], reward[10:, :, 1], rtol=1e-6)


def test_equality_by_hand():
    returns = jnp.array([[5.0, 5.0, 5.0, 5.0], [8.0, 0.0, 0.0, 0.0], [-1.0, -1.0, 0.0, 1.0], [1.0, 3.0, 0.0, 0.0]])
    # Gini of (1, 3, 0, 0): the twelve ordered differences add up to 20, over 2 * 4 * 4.
    np.testing.assert_allclose(metrics.equality(returns), [1.0, 0.25, 0.0, 1 - 20 / 32], atol=1e-6)


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


def test_rmsprop_matches_optax():
    optimizer, reference = OPTIMIZERS["rmsprop"](), optax.rmsprop(0.1, decay=0.99, eps=1e-5)
    params = {"x": jnp.array([1.0, 2.0])}
    state, theirs, other = optimizer.init(params), params, reference.init(params)
    for step in range(3):
        gradients = {"x": jnp.array([0.1, -0.3]) * (step + 1)}
        params, state, _ = apply_gradients(params, state, gradients, optimizer, 0.1, 40.0)
        updates, other = reference.update(gradients, other)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(params["x"], theirs["x"], rtol=1e-6)
