"""The actor-critic losses of one head of one agent."""

import distrax
import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.fusion import reciprocal

# Of advantages, in scaled rewards. Without rewards, advantages are errors of the value function. Normalised to unit size, they
# would push policies until these depend on nothing (docs/learner.md).
SMALLEST_DEVIATION = 0.01


@struct.dataclass
class HeadBatch:
    """The data that one head of one agent learns from, time first."""

    symbol: jax.Array  # i32[T,E], the action or the message
    log_prob: jax.Array  # f32[T,E], at the time of the choice
    advantage: jax.Array  # f32[T,E]
    target: jax.Array  # f32[T,E]


def policy_gradient(logits: jax.Array, symbol: jax.Array, advantage: jax.Array, mask: jax.Array) -> jax.Array:
    """Return ``-mean(A log pi(a))`` over the masked steps, without a gradient through the advantage."""
    return -masked_mean(jax.lax.stop_gradient(advantage) * distrax.Categorical(logits=logits).log_prob(symbol), mask)


def clipped_surrogate(logits, symbol, log_prob, advantage, mask, clip: jax.Array | float) -> jax.Array:
    """Return PPO's policy loss (Schulman et al. 2017, equation 7), with advantages normalised to mean 0 and deviation 1.

    The deviation is taken to be at least `SMALLEST_DEVIATION`, so that tiny advantages stay small.
    """
    advantage = jax.lax.stop_gradient(advantage)
    centred = advantage - masked_mean(advantage, mask)
    advantage = centred * reciprocal(jnp.maximum(jnp.sqrt(masked_mean(jnp.square(centred), mask)), SMALLEST_DEVIATION))
    ratio = jnp.exp(distrax.Categorical(logits=logits).log_prob(symbol) - log_prob)
    bounded = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return -masked_mean(jnp.minimum(ratio * advantage, bounded * advantage), mask)


def value_loss(value: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
    """Return half the mean squared error, without a gradient through the target."""
    return masked_mean(0.5 * jnp.square(value - jax.lax.stop_gradient(target)), mask)


def clipped_value_loss(value, old: jax.Array, target, mask, clip: jax.Array | float) -> jax.Array:
    """Return PPO's value loss: the worse of the value and of one clipped to within ``clip`` of the ``old`` value.

    It is not in Schulman et al. (2017) but in the code published with it. ``clip`` is in units of the scaled reward.
    """
    target = jax.lax.stop_gradient(target)
    near = old + jnp.clip(value - old, -clip, clip)
    return masked_mean(jnp.maximum(0.5 * jnp.square(value - target), 0.5 * jnp.square(near - target)), mask)


def masked_mean(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Return the mean over the entries where ``mask`` holds, 0 if there are none."""
    return jnp.sum(jnp.where(mask, x, 0.0)) * reciprocal(jnp.maximum(mask.sum(dtype=jnp.float32), 1))


def explained_variance(target: jax.Array, advantage: jax.Array, mask: jax.Array) -> jax.Array:
    """Return the fraction of the variance of returns that the values explain: at most 1, and 0 for a constant."""

    def variance(x):
        return masked_mean(jnp.square(x - masked_mean(x, mask)), mask)

    return 1.0 - variance(advantage) * reciprocal(jnp.maximum(variance(target), 1e-8))
