"""One agent's batch, loss and gradient step. Callers vmap over agents, an axis named `AGENTS`."""

from typing import Any

import distrax
import jax
import jax.flatten_util
import jax.numpy as jnp
from flax import struct

from influence_jax.config import Hyperparams
from influence_jax.learner.learner import Learner
from influence_jax.learner.losses import HeadBatch, masked_mean
from influence_jax.learner.optimizer import apply_gradients
from influence_jax.learner.returns import advantages
from influence_jax.types import CachedActivations, HeadSample, Observation, Trajectory

AGENTS = "agents"


@struct.dataclass
class AgentBatch:
    """The data that one agent learns from in one update, time first."""

    observation: jax.Array | Observation  # u8[T,E,V,V,3]
    # By branch, leading [T,E]; None if the parameters may have changed since the rollout.
    activations: dict[str, CachedActivations] | None
    first: jax.Array  # bool[T,E]
    valid: jax.Array  # bool[T,E]
    context: jax.Array  # i32[T,E,L]
    heads: dict[str, HeadBatch]
    auxiliary: Any  # for the influence model's loss, leading [T,E]; None if it has none


def agent_batches(
    learner: Learner,
    hparams: Hyperparams,
    trajectory: Trajectory,
    last: dict[str, HeadSample],
    reward: dict[str, jax.Array],
) -> AgentBatch:
    """Return the batch of every agent, with leading axis N.

    ``reward f32[T,E,N]`` and ``last`` [E,N], the samples in the state after the rollout, are given by head.
    """
    output, num_agents = trajectory.actor_output, trajectory.reward.shape[-1]
    batch = AgentBatch(
        observation=trajectory.observation,
        activations=output.activations if learner.algorithm.reuses_activations else None,
        first=jnp.repeat(trajectory.first[..., None], num_agents, axis=-1),
        valid=jnp.repeat(trajectory.valid[..., None], num_agents, axis=-1),
        context=output.context,
        heads={
            head: head_batch(sample, reward[head], trajectory, last[head].value, hparams)
            for head, sample in output.samples.items()
        },
        auxiliary=None,
    )
    batch = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), batch)
    auxiliary = learner.model.auxiliary_batch(trajectory) if learner.model.auxiliary_batch else None
    return batch.replace(auxiliary=auxiliary)


def head_batch(sample: HeadSample, reward, trajectory: Trajectory, bootstrap_value, hparams) -> HeadBatch:
    """Return the batch ``[T,E,N]`` of one head, with a separate return for each environment and agent."""
    per_agent = jax.vmap(advantages, in_axes=(1, None, 1, 0, None, 0, 0), out_axes=1)
    per_env = jax.vmap(per_agent, in_axes=(1, 1, 1, 0, 1, None, None), out_axes=1)
    advantage, target = per_env(
        reward,
        trajectory.discount,
        sample.value,
        bootstrap_value,
        trajectory.truncated,
        hparams.discount,
        hparams.gae_lambda,
    )
    return HeadBatch(symbol=sample.symbol, log_prob=sample.log_prob, advantage=advantage, target=target)


def agent_loss(params, learner: Learner, hparams: Hyperparams, batch: AgentBatch, carry: Any):
    """Return ``(loss, (terms, metrics))`` of one agent: the losses of all heads and the influence model's auxiliary loss.

    ``carry`` is the agent's recurrent state at the start of the rollout, ``{branch: carry [E,...]}``. The losses of the message
    head have their own weight, which does not apply to its entropy bonus (Table 2). The loss is the sum of the ``terms``.
    """
    network, model = learner.network.with_activations(batch.activations), learner.model
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
        logits = outputs[name]
        policy, value = learner.algorithm.losses(logits, outputs[f"{name}_value"], head, batch.valid, hparams)
        distribution: Any = distrax.Categorical(logits=logits)
        entropy = masked_mean(distribution.entropy(), batch.valid)
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


def gradient_step(learner: Learner, hparams, rate, params, opt_state, batch: AgentBatch, carry):
    """Take one gradient step of one agent and return ``(params, opt_state, logs)``."""
    gradients, (_, logs) = jax.grad(agent_loss, has_aux=True)(params, learner, hparams, batch, carry)
    if learner.diagnostics:
        logs |= gradients_by_term(learner, hparams, params, batch, carry)
    if learner.share_parameters:
        gradients = jax.lax.pmean(gradients, AGENTS)
    params, opt_state, norms = apply_gradients(
        params, opt_state, gradients, learner.optimizer, rate, hparams.max_grad_norm
    )
    return params, opt_state, logs | norms


def gradients_by_term(learner: Learner, hparams, params, batch: AgentBatch, carry) -> dict[str, jax.Array]:
    """Return ``{"gradient/<module>/<term>": f32[P]}``, the gradient of each loss term in the encoder and the action head.

    The gradients of one rollout are mostly noise; the norm of their mean over a chunk is not
    (`influence_jax.learner.train.train_step`).
    """
    terms, pull_back = jax.vjp(lambda params: agent_loss(params, learner, hparams, batch, carry)[1][0], params)
    logs = {}
    for term in terms:
        (gradients,) = pull_back({name: jnp.float32(name == term) for name in terms})
        for module in ("encoder", "action_head"):
            if module in gradients:
                flat = jax.flatten_util.ravel_pytree(gradients[module])[0]
                logs[f"gradient/{module}/{term}"] = flat
    return logs
