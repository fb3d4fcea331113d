"""The actor-critic loss of one agent."""

import distrax
import jax
import jax.numpy as jnp
import optax
from flax import struct


@struct.dataclass
class AgentBatch:
    """What one agent learns from in one update, time first."""

    observation: jax.Array  # u8[T,E,V,V,3]
    first: jax.Array  # bool[T,E]
    valid: jax.Array  # bool[T,E]
    context: jax.Array  # i32[T,E,L]
    action: jax.Array  # i32[T,E]
    advantage: jax.Array  # f32[T,E]
    target: jax.Array  # f32[T,E]


def policy_gradient(logits: jax.Array, action: jax.Array, advantage: jax.Array, mask: jax.Array):
    """Return ``(loss, mean entropy)``: ``-mean(A log pi(a))`` over the masked steps; the advantage carries no gradient."""
    policy = distrax.Categorical(logits=logits)
    loss = -masked_mean(jax.lax.stop_gradient(advantage) * policy.log_prob(action), mask)
    return loss, masked_mean(policy.entropy(), mask)


def value_loss(value: jax.Array, target: jax.Array, mask: jax.Array, kind: str) -> jax.Array:
    """Return half the mean squared error, or Huber's loss with its corner at 1; the target carries no gradient."""
    error = value - jax.lax.stop_gradient(target)
    return masked_mean(0.5 * jnp.square(error) if kind == "squared" else optax.losses.huber_loss(error), mask)


def masked_mean(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Return the mean over the entries where ``mask`` holds, 0 if there are none."""
    return jnp.sum(jnp.where(mask, x, 0.0)) / jnp.maximum(mask.sum(), 1)


def agent_loss(params, batch: AgentBatch, carry, auxiliary_batch, network, model, config, hparams):
    """Return ``(loss, metrics)`` of one agent: policy, value, entropy, and what the influence model learns beside them."""
    features = network.encode(params, batch.observation)
    heads = network.unroll(params, "policy", carry["policy"], features["policy"], batch.context, batch.first)
    policy, entropy = policy_gradient(heads["action"], batch.action, batch.advantage, batch.valid)
    value = value_loss(heads["value"], batch.target, batch.valid, config.value_loss)
    loss = policy + hparams.value_coef * value - hparams.entropy_coef * entropy
    metrics = {"policy_loss": policy, "value_loss": value, "entropy": entropy}
    if model.auxiliary_loss is not None:
        auxiliary, extra = model.auxiliary_loss(network, params, carry, features, auxiliary_batch, batch.first, hparams)
        loss, metrics = loss + auxiliary, metrics | extra
    return loss, metrics
