"""One update: act, reward, learn. It reads from top to bottom."""

import functools
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp

from influence_jax import rewards
from influence_jax.config import ConfigError, Hyperparams
from influence_jax.fusion import reciprocal
from influence_jax.influence.controls import controlled_influence_reward
from influence_jax.learner import popart
from influence_jax.learner.learner import Learner
from influence_jax.learner.losses import AgentBatch, HeadBatch, agent_loss, explained_variance
from influence_jax.learner.optimizer import apply_gradients, learning_rate
from influence_jax.learner.report import report
from influence_jax.learner.returns import advantages
from influence_jax.learner.rollout import rollout
from influence_jax.learner.state import LearnerState
from influence_jax.metrics import Mean
from influence_jax.types import HeadSample, Trajectory

CAUSES = (
    "reward",
    "influence reward",
    "policy or value",
    "loss or gradient",
    "parameters",
)  # in the order of an update


def update(learner: Learner, state: LearnerState, num_updates: jax.Array) -> tuple[LearnerState, dict[str, Mean]]:
    """Do one update of every agent; ``num_updates f32[]`` is the length of the run, to which the schedules refer.

    A member some number of which is not finite stays as it was before, for good, and says in ``failure`` which.
    """
    config, model, hparams = learner.config.learner, learner.model, state.hyperparams
    progress = state.update / num_updates

    # Act.
    key = jax.random.fold_in(state.key, state.update)
    rollout_state, trajectory, bootstrap = rollout(
        learner, state.member, state.rollout_state, config.rollout_length, key
    )

    # Reward.
    extrinsic = rewards.softened(trajectory.reward, hparams, progress)
    shaper_state, shaped_reward = learner.shaper.apply(
        state.rollout_state.shaper_state, extrinsic, trajectory.first, hparams
    )
    if shaped_reward.shape != trajectory.reward.shape:
        raise ConfigError(
            f"learner.shaper returned rewards of shape {list(shaped_reward.shape)}; allowed: {list(trajectory.reward.shape)}."
        )
    control_key = jax.random.fold_in(key, config.rollout_length + 1)
    influence_reward = controlled_influence_reward(
        model, learner.config.influence.control, control_key, trajectory, bootstrap, hparams.influencee_share
    )
    influence_weight = rewards.influence_weight(hparams, progress)
    reward = {
        "action": hparams.extrinsic_weight * shaped_reward,
        "message": hparams.message_extrinsic_weight * shaped_reward,
    }
    reward[model.channel] += influence_weight * influence_reward
    scale = state.reward_scale
    if config.reward_scaling == "running_std":
        for head in scale:
            scaled = rewards.scale_rewards(scale[head], reward[head], trajectory.first, hparams.discount)
            scale, reward[head] = scale | {head: scaled[0]}, scaled[1]

    # Learn: every head of every agent alone.
    params, samples, last = state.params, trajectory.actor_output.samples, bootstrap.samples
    if config.reward_scaling == "popart":
        samples, last = popart.values_in_rewards(samples, scale), popart.values_in_rewards(last, scale)
    batch = agent_batches(learner, hparams, trajectory, samples, last, reward)
    if config.reward_scaling == "popart":
        heads, params, scale = popart.normalise(batch.heads, params, scale)
        batch = batch.replace(heads=heads)
    units = reward_units(config.reward_scaling, scale)
    rate = learning_rate(hparams, progress)
    weighted = with_exploration(hparams, progress)
    if config.algorithm == "a2c":  # PPO's policy loss is in deviations of the advantages, whatever the unit of rewards
        weighted = in_units(weighted, units)
    num_agents = trajectory.reward.shape[-1]
    keys = jax.random.split(jax.random.fold_in(key, config.rollout_length + 2), num_agents)
    learn = functools.partial(ALGORITHMS[config.algorithm], learner)
    params, opt_state, logs = jax.vmap(learn)(
        weighted, rate, params, state.opt_state, batch, state.rollout_state.carry, keys
    )
    logs |= {
        f"{'' if name == 'action' else name + '_'}explained_variance": jax.vmap(explained_variance)(
            head.target, head.advantage, batch.valid
        )
        for name, head in batch.heads.items()
    }

    # Check.
    checked = (shaped_reward, influence_reward, (samples, last), logs, (params, opt_state, scale, rollout_state.carry))
    finite = jnp.stack([all_finite(x) for x in checked])
    failure = jnp.where(finite.all(), 0, 1 + jnp.argmin(finite)).astype(jnp.int32)
    failure = jnp.where(state.failure > 0, state.failure, failure)  # a longer run would change what schedules say

    # Report.
    logs |= {"current_influence_weight": influence_weight, "current_learning_rate": rate}
    logs |= {f"{'' if head == 'action' else head + '_'}reward_std": x for head, x in units.items()}
    episode_sums, logs = report(learner, state.episode_sums, trajectory, bootstrap, logs)
    after = state.replace(
        params=params,
        opt_state=opt_state,
        rollout_state=rollout_state.replace(shaper_state=shaper_state),
        reward_scale=scale,
        episode_sums=episode_sums,
        update=state.update + 1,
    )
    ok = failure == 0
    state = jax.tree.map(lambda new, old: new if new is old else jnp.where(ok, new, old), after, state)
    # A frozen member does the same again; what was not learned from is not counted.
    logs = jax.tree.map(lambda x: jnp.where(ok, x, 0), logs)
    return state.replace(failure=failure), logs


def all_finite(tree: Any) -> jax.Array:
    """bool[]: every number is finite."""
    numbers = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(x).all() for x in numbers]).all()


def with_exploration(hparams: Hyperparams, progress: jax.Array) -> Hyperparams:
    """Return the hyper-parameters with the entropy weights of this moment of the run."""
    left = jnp.clip(1.0 - progress / jnp.maximum(hparams.exploration_fraction, 1e-9), 0.0)
    extra = hparams.exploration * left
    return hparams.replace(
        entropy_coef=hparams.entropy_coef + extra, message_entropy_coef=hparams.message_entropy_coef + extra
    )


def reward_units(reward_scaling: str, scale: dict[str, rewards.RewardScale]) -> dict[str, jax.Array]:
    """Return, by head, how much of the environment's reward is 1 in the losses, f32[N] or f32[]."""
    if reward_scaling == "running_std":
        return {head: moments.std() for head, moments in scale.items()}
    if reward_scaling == "popart":
        return {head: popart.moments(moments)[1] for head, moments in scale.items()}
    return dict.fromkeys(scale, jnp.float32(1))


def in_units(hparams: Hyperparams, units: dict[str, jax.Array]) -> Hyperparams:
    """Return the hyper-parameters with the weights that are worth rewards, divided as the rewards beside them are."""
    per_unit = {head: reciprocal(unit) for head, unit in units.items()}
    return hparams.replace(
        entropy_coef=hparams.entropy_coef * per_unit["action"],
        message_entropy_coef=hparams.message_entropy_coef * per_unit.get("message", 1.0),
        moa_loss_weight=hparams.moa_loss_weight * per_unit["action"],
    )


def agent_batches(learner: Learner, hparams, trajectory: Trajectory, samples, last, reward) -> AgentBatch:
    """Return what each agent learns from, leading axis N.

    By head: ``samples`` [T,E,N] and, of the state after the rollout, ``last`` [E,N], with values in the rewards' unit;
    ``reward`` f32[T,E,N].
    """
    output, num_agents = trajectory.actor_output, trajectory.reward.shape[-1]
    batch = AgentBatch(
        observation=trajectory.observation,
        activations=output.activations if learner.config.learner.algorithm == "a2c" else None,
        first=jnp.repeat(trajectory.first[..., None], num_agents, axis=-1),
        valid=jnp.repeat(trajectory.valid[..., None], num_agents, axis=-1),
        context=output.context,
        heads={
            head: head_batch(sample, reward[head], trajectory, last[head].value, hparams)
            for head, sample in samples.items()
        },
        auxiliary=None,
    )
    batch = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), batch)
    auxiliary = learner.model.auxiliary_batch(trajectory) if learner.model.auxiliary_batch else None
    return batch.replace(auxiliary=auxiliary)


def head_batch(sample: HeadSample, reward, trajectory: Trajectory, bootstrap_value, hparams) -> HeadBatch:
    """Return what one head learns from, ``[T,E,N]``: one stream of returns per environment and agent."""
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


def gradient_step(learner: Learner, hparams, rate, params, opt_state, batch: AgentBatch, carry):
    """Take one step of one agent: ``(params, opt_state, logs)``."""
    gradients, (_, logs) = jax.grad(agent_loss, has_aux=True)(params, learner, hparams, batch, carry)
    if learner.config.learner.diagnostics:
        logs |= gradients_by_term(learner, hparams, params, batch, carry)
    params, opt_state, norms = apply_gradients(
        params,
        opt_state,
        gradients,
        learner.optimizer,
        rate,
        hparams.max_grad_norm,
        learner.config.network.critic,
    )
    return params, opt_state, logs | norms


def gradients_by_term(learner: Learner, hparams, params, batch: AgentBatch, carry) -> dict[str, jax.Array]:
    """Return ``{"gradient/<module>/<term>": f32[P]}``, what each term of the loss asks of the encoder and the action head.

    Those of one rollout are mostly noise; the norm of their mean over a chunk is not (`influence_jax.learner.train.train_step`).
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


def learn_a2c(learner: Learner, hparams, rate, params, opt_state, batch: AgentBatch, carry, key: Any):
    """Take one step on the whole rollout."""
    del key
    return gradient_step(learner, hparams, rate, params, opt_state, batch, carry)


def learn_ppo(learner: Learner, hparams, rate, params, opt_state, batch: AgentBatch, carry, key: jax.Array):
    """Take several epochs of steps on groups of environments, whole in time, from the carries they were acted with.

    Rewards, and influence with them, stay as they were when the rollout was collected.
    """
    config = learner.config.learner
    keys = jax.random.split(key, config.ppo_epochs)
    groups = jax.vmap(lambda k: jax.random.permutation(k, jnp.arange(config.num_envs, dtype=jnp.int32)))(keys)
    groups = groups.reshape(config.ppo_epochs * config.minibatches, -1)

    def step(carried, group):
        data = jax.tree.map(lambda x: x[:, group], batch)
        before = jax.tree.map(lambda x: x[group], carry)
        params, opt_state, logs = gradient_step(learner, hparams, rate, *carried, data, before)
        return (params, opt_state), logs

    (params, opt_state), logs = jax.lax.scan(step, (params, opt_state), groups)
    return params, opt_state, jax.tree.map(lambda x: x.mean(axis=0), logs)


ALGORITHMS = {"a2c": learn_a2c, "ppo": learn_ppo}
