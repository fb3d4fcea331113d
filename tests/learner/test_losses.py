"""Losses against hand values."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.learner.losses import (
    SMALLEST_DEVIATION,
    clipped_surrogate,
    clipped_value_loss,
    explained_variance,
    masked_mean,
    policy_gradient,
    value_loss,
)


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


def test_advantages_that_hardly_vary_stay_small():
    """A deviation of a tenth of the smallest: a tenth of the push."""
    log_prob, action, mask = jnp.log(jnp.array([0.5, 0.5])), jnp.array([0, 1]), jnp.ones(2, bool)

    def push(deviation):
        advantage = 3.0 + deviation * jnp.array([1.0, -1.0])
        return jax.grad(clipped_surrogate)(jnp.zeros((2, 2)), action, log_prob, advantage, mask, 0.2)

    usual = push(1.0)
    np.testing.assert_allclose(usual, [[-0.25, 0.25], [-0.25, 0.25]], rtol=1e-5)
    np.testing.assert_allclose(push(10 * SMALLEST_DEVIATION), usual, rtol=1e-4)
    np.testing.assert_allclose(push(0.1 * SMALLEST_DEVIATION), 0.1 * usual, rtol=1e-3)


def test_value_losses_by_hand():
    value, target, mask = jnp.array([0.5, 3.0, 9.0]), jnp.zeros(3), jnp.array([True, True, False])
    np.testing.assert_allclose(value_loss(value, target, mask), (0.125 + 4.5) / 2)
    assert masked_mean(value, jnp.zeros(3, bool)) == 0


def test_a_value_beyond_its_clip_is_not_pulled_further():
    value, old, target = jnp.array([0.0, 2.0]), jnp.array([0.0, 1.0]), jnp.array([1.0, 5.0])

    def loss(value):
        return clipped_value_loss(value, old, target, jnp.ones(2, bool), 0.5)

    np.testing.assert_allclose(loss(value), (0.5 + 3.5**2 / 2) / 2)
    np.testing.assert_allclose(jax.grad(loss)(value), [-0.5, 0.0])


def test_explained_variance_by_hand():
    target = jnp.array([[0.0, 2.0, 4.0, 99.0]])
    mask = jnp.array([[True, True, True, False]])
    values = jnp.array([[0.0, 2.0, 4.0, 0.0]])
    np.testing.assert_allclose(explained_variance(target, target - values, mask), 1.0, atol=1e-6)
    np.testing.assert_allclose(explained_variance(target, target - 2.0, mask), 0.0, atol=1e-6)  # a constant
    np.testing.assert_allclose(explained_variance(target, target - values / 2, mask), 0.75, atol=1e-6)
