"""The actor-critic losses of one agent."""

from typing import Any

import distrax
import jax
import jax.numpy as jnp
import optax
from flax import struct

from influence_jax.config import Hyperparams
from influence_jax.fusion import reciprocal
from influence_jax.learner.learner import Learner
from influence_jax.types import CachedActivations, Observation


@struct.dataclass
class HeadBatch:
    """What one head of one agent learns from, time first."""

    symbol: jax.Array  # i32[T,E], the action or the message
    log_prob: jax.Array  # f32[T,E], when it was chosen
    advantage: jax.Array  # f32[T,E]
    target: jax.Array  # f32[T,E]


@struct.dataclass
class AgentBatch:
    """What one agent learns from in one update, time first."""

    observation: jax.Array | Observation  # u8[T,E,V,V,3]
    # By branch, leading [T,E], while the parameters are still those that acted.
    activations: dict[str, CachedActivations] | None
    first: jax.Array  # bool[T,E]
    valid: jax.Array  # bool[T,E]
    context: jax.Array  # i32[T,E,L]
    heads: dict[str, HeadBatch]
    auxiliary: Any  # of the influence model, leading [T,E]; None where it learns nothing


def policy_gradient(logits: jax.Array, symbol: jax.Array, advantage: jax.Array, mask: jax.Array) -> jax.Array:
    """Return ``-mean(A log pi(a))`` over the masked steps; the advantage carries no gradient."""
    return -masked_mean(jax.lax.stop_gradient(advantage) * distrax.Categorical(logits=logits).log_prob(symbol), mask)


def clipped_surrogate(logits, symbol, log_prob, advantage, mask, clip: jax.Array) -> jax.Array:
    """Return PPO's loss (Schulman et al. 2017, equation 7), with advantages of mean 0 and deviation 1 in the batch."""
    advantage = jax.lax.stop_gradient(advantage)
    centred = advantage - masked_mean(advantage, mask)
    advantage = centred * reciprocal(jnp.sqrt(masked_mean(jnp.square(centred), mask)) + 1e-8)
    ratio = jnp.exp(distrax.Categorical(logits=logits).log_prob(symbol) - log_prob)
    bounded = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return -masked_mean(jnp.minimum(ratio * advantage, bounded * advantage), mask)


def value_loss(value: jax.Array, target: jax.Array, mask: jax.Array, kind: str) -> jax.Array:
    """Return the mean error of a kind of `VALUE_ERRORS`; the target carries no gradient."""
    return masked_mean(VALUE_ERRORS[kind](value - jax.lax.stop_gradient(target)), mask)


def clipped_value_loss(value, old: jax.Array, target, mask, clip: jax.Array, kind: str) -> jax.Array:
    """Return PPO's `value_loss`: the worse of the value and one that stays within ``clip`` of the ``old`` value.

    Not in Schulman et al. (2017) but in the code published with it. ``clip`` is in units of the scaled reward.
    """
    target = jax.lax.stop_gradient(target)
    near = old + jnp.clip(value - old, -clip, clip)
    return masked_mean(jnp.maximum(VALUE_ERRORS[kind](value - target), VALUE_ERRORS[kind](near - target)), mask)


VALUE_ERRORS = {
    "squared": lambda error: 0.5 * jnp.square(error),
    "huber": lambda error: optax.losses.huber_loss(error),
}


def masked_mean(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Return the mean over the entries where ``mask`` holds, 0 if there are none."""
    return jnp.sum(jnp.where(mask, x, 0.0)) * reciprocal(jnp.maximum(mask.sum(dtype=jnp.float32), 1))


def agent_loss(params, learner: Learner, hparams: Hyperparams, batch: AgentBatch, carry: Any):
    """Return ``(loss, (terms, metrics))`` of one agent: every head, and what the influence model learns beside them.

    ``carry`` is the agent's recurrent state at the start of the rollout, ``{branch: carry [E,...]}``. The message head's losses
    have a weight of their own; its entropy bonus stands outside it (Table 2). The loss is the sum of the ``terms``.
    """
    config, model = learner.config.learner, learner.model
    network = learner.network.with_activations(batch.activations)
    features = network.encode(params, batch.observation)
    outputs = network.unroll(params, "policy", carry["policy"], features["policy"], batch.context, batch.first)
    if "critic" in carry:
        outputs |= network.unroll(params, "critic", carry["critic"], features["critic"], batch.context, batch.first)
    weights = {
        "action": (1.0, hparams.entropy_coef),
        "message": (hparams.message_loss_weight, hparams.message_entropy_coef),
    }
    terms, metrics = {}, {}
    for name, head in batch.heads.items():
        logits, predicted, mask = outputs[name], outputs[f"{name}_value"], batch.valid
        if config.algorithm == "ppo":
            old = head.target - head.advantage
            policy = clipped_surrogate(logits, head.symbol, head.log_prob, head.advantage, mask, hparams.ppo_clip)
            value = clipped_value_loss(predicted, old, head.target, mask, hparams.ppo_clip, config.value_loss)
        else:
            policy = policy_gradient(logits, head.symbol, head.advantage, mask)
            value = value_loss(predicted, head.target, mask, config.value_loss)
        entropy = masked_mean(distrax.Categorical(logits=logits).entropy(), mask)
        weight, entropy_coef = weights[name]
        prefix = "" if name == "action" else f"{name}_"
        terms |= {
            f"{prefix}policy": weight * policy,
            f"{prefix}value": weight * hparams.value_coef * value,
            f"{prefix}entropy": -entropy_coef * entropy,
        }
        metrics |= {
            f"{prefix}policy_loss": policy,
            f"{prefix}value_loss": value,
            f"{prefix}entropy": entropy,
        }
    if model.auxiliary_loss is not None:
        terms["auxiliary"], extra = model.auxiliary_loss(
            network, params, carry, features, batch.auxiliary, batch.first, hparams
        )
        metrics |= extra
    return sum(terms.values()), (terms, metrics)


def explained_variance(target: jax.Array, advantage: jax.Array, mask: jax.Array) -> jax.Array:
    """Return the fraction of the variance of the returns that the values explain: 1 at best, 0 for a constant."""

    def variance(x):
        return masked_mean(jnp.square(x - masked_mean(x, mask)), mask)

    return 1.0 - variance(advantage) * reciprocal(jnp.maximum(variance(target), 1e-8))
