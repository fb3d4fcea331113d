"""Reward shaping, mixing and scaling against hand values."""

import jax.numpy as jnp
import numpy as np

from influence_jax import rewards
from influence_jax.config import Hyperparams


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


def test_pay_as_a_share_of_income_by_hand():
    """Losses are not income; means are over agents and updates, where the last update weighs a hundredth of a long past."""
    hparams = Hyperparams(income_share=0.5, influence_weight=7.0, influence_curriculum=0.4)
    income = rewards.init_income().add(jnp.array([[[1.0, -30.0, 2.0]]]), jnp.array([[[0.0, 0.2, 0.1]]]))
    np.testing.assert_allclose(rewards.influence_weight(hparams, jnp.float32(1.0), income), 0.5 * 1.0 / 0.1, rtol=1e-5)
    np.testing.assert_allclose(rewards.influence_weight(hparams, jnp.float32(0.1), income), 0.25 * 5.0, rtol=1e-5)
    income = income.add(jnp.full((2, 1, 3), 3.0), jnp.full((2, 1, 3), 0.4))
    expected = 0.5 * (0.99 * 0.01 * 1.0 + 0.01 * 3.0) / (0.99 * 0.01 * 0.1 + 0.01 * 0.4)
    np.testing.assert_allclose(rewards.influence_weight(hparams, jnp.float32(1.0), income), expected, rtol=1e-5)
    nobody = rewards.init_income().add(jnp.ones((1, 1, 3)), jnp.zeros((1, 1, 3)))
    np.testing.assert_allclose(nobody.per_nat(), 1e6, rtol=1e-5)
    assert rewards.init_income().per_nat() == 0


def test_fines_rise_to_their_size_and_nothing_else_changes():
    """A fine of 49 counts as 1, halfway as its root 7, then in full; rewards above -1 never change."""
    hparams = Hyperparams(fine_softening=0.4)
    reward = jnp.array([-49.0, -1.0, -0.25, 0.0, 3.0])
    for progress, fine in ((0.0, 1.0), (0.2, 7.0), (0.4, 49.0), (0.9, 49.0)):
        softened = rewards.softened(reward, hparams, jnp.float32(progress))
        np.testing.assert_allclose(softened, [-fine, *reward[1:]], rtol=1e-5)
    np.testing.assert_array_equal(rewards.softened(reward, Hyperparams(), jnp.float32(0.0)), reward)


def test_reward_scale_is_the_fading_spread_of_discounted_returns(monkeypatch):
    """Weighted moments over all returns, with half weight for the older half; never below 1; ratios are kept."""
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
    shared = rewards.scale_rewards(rewards.init_scale(4, 2), jnp.float32(reward), jnp.asarray(first), 0.9, shared=True)[
        1
    ]
    np.testing.assert_allclose(shared, reward / returns.std(), rtol=1e-4)
