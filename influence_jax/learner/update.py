"""One update: act, pay, learn. It reads from top to bottom."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax import metrics, rewards
from influence_jax.config import Hyperparams
from influence_jax.learner.losses import AgentBatch, HeadBatch, agent_loss
from influence_jax.learner.optimizer import apply_gradients, learning_rate
from influence_jax.learner.returns import advantages
from influence_jax.learner.rollout import RolloutState, rollout
from influence_jax.metrics import EpisodeSums, Mean, mean_over
from influence_jax.rewards import RewardScale
from influence_jax.types import HeadSample


@struct.dataclass
class LearnerState:
    """Everything a run is, between two updates."""

    params: Any  # leading N
    opt_state: Any  # leading N
    rollout_state: RolloutState
    reward_scale: dict[str, RewardScale]  # by head
    smoothed_reward: jax.Array  # f32[E,N], of the reward shaper
    episode_sums: EpisodeSums
    key: jax.Array  # of the run; never changes, streams are folded in by counter
    update: jax.Array  # i32[], updates done


def update(learner, state: LearnerState, hparams, num_updates: jax.Array) -> tuple[LearnerState, dict[str, Mean]]:
    """Do one update of every agent; ``num_updates f32[]`` is the length of the run, to which the schedules refer."""
    config, network, model = learner.config.learner, learner.network, learner.model
    progress = state.update / num_updates

    # Act.
    key = jax.random.fold_in(state.key, state.update)
    rollout_state, trajectory, bootstrap = rollout(
        learner.env, learner.env_params, network, model, state.params, state.rollout_state, config.rollout_length, key
    )

    # Pay.
    weight = rewards.influence_weight(hparams, progress)
    influence_reward = influence_rewards(
        learner, trajectory, bootstrap, hparams, jax.random.fold_in(key, config.rollout_length + 1)
    )
    smoothed, shaped_reward = rewards.SHAPERS[config.shaper](
        state.smoothed_reward, trajectory.reward, trajectory.first, hparams
    )
    reward = {
        "action": hparams.extrinsic_weight * shaped_reward,
        "message": hparams.message_extrinsic_weight * shaped_reward,
    }
    reward[model.paid_head] += weight * influence_reward
    scale = state.reward_scale
    if config.reward_scaling == "running_std":
        for head in scale:
            scaled = rewards.scale_rewards(scale[head], reward[head], trajectory.first, hparams.discount)
            scale, reward[head] = scale | {head: scaled[0]}, scaled[1]

    # Learn: every head of every agent alone.
    hparams = with_exploration(hparams, progress)
    heads = {
        head: head_batch(choice, reward[head], trajectory, bootstrap.samples[head].value, hparams)
        for head, choice in trajectory.actor_output.samples.items()
    }
    num_agents = trajectory.reward.shape[-1]
    batch = AgentBatch(
        observation=trajectory.observation,
        activations=trajectory.actor_output.activations if config.algorithm == "a2c" else None,
        first=jnp.repeat(trajectory.first[..., None], num_agents, axis=-1),
        valid=jnp.repeat(trajectory.valid[..., None], num_agents, axis=-1),
        context=trajectory.actor_output.context,
        heads=heads,
    )
    batch = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), batch)
    auxiliary = model.auxiliary_batch(trajectory) if model.auxiliary_batch else None
    rate = learning_rate(hparams, progress)
    keys = jax.random.split(jax.random.fold_in(key, config.rollout_length + 2), num_agents)
    learn = functools.partial(LEARNERS[config.algorithm], learner, hparams, rate)
    params, opt_state, logs = jax.vmap(learn)(
        state.params, state.opt_state, batch, state.rollout_state.carry, auxiliary, keys
    )

    # Report.
    episode_sums, logs = report(
        learner, state.episode_sums, trajectory, logs | {"influence_weight": weight, "learning_rate": rate}
    )
    state = state.replace(
        params=params,
        opt_state=opt_state,
        rollout_state=rollout_state,
        reward_scale=scale,
        smoothed_reward=smoothed,
        episode_sums=episode_sums,
        update=state.update + 1,
    )
    return state, logs


def with_exploration(hparams: Hyperparams, progress: jax.Array) -> Hyperparams:
    """Return the hyper-parameters with the entropy weights of this moment of the run."""
    left = jnp.clip(1.0 - progress / jnp.maximum(hparams.exploration_fraction, 1e-9), 0.0)
    extra = hparams.exploration * left
    return hparams.replace(
        entropy_coef=hparams.entropy_coef + extra, message_entropy_coef=hparams.message_entropy_coef + extra
    )


def influence_rewards(learner, trajectory, bootstrap, hparams, key: jax.Array) -> jax.Array:
    """Return what each agent's influence is worth, ``f32[T,E,N]`` nats, at the step whose choice it rewards."""
    model, config = learner.model, learner.config.influence

    def credited(now, after):
        if model.about_last_symbol and config.credit == "cause":
            return rewards.credit_cause(now, after)
        return now

    output = trajectory.actor_output
    influence_reward, information = (
        credited(rewards.influence_reward(now, hparams), rewards.influence_reward(after, hparams))
        for now, after in (
            (output.influence, bootstrap.influence),
            (output.mutual_information, bootstrap.mutual_information),
        )
    )
    surprisal = -output.samples[model.paid_head].log_prob
    return rewards.control(config.control, key, influence_reward, surprisal, information)


def head_batch(choice: HeadSample, reward, trajectory, bootstrap, hparams) -> HeadBatch:
    """Return what one head learns from, ``[T,E,N]``: one stream of returns per environment and agent."""
    per_agent = jax.vmap(advantages, in_axes=(1, None, 1, 0, None, None, None), out_axes=1)
    per_env = jax.vmap(per_agent, in_axes=(1, 1, 1, 0, 1, None, None), out_axes=1)
    advantage, target = per_env(
        reward,
        trajectory.discount,
        choice.value,
        bootstrap,
        trajectory.truncated,
        hparams.discount,
        hparams.gae_lambda,
    )
    return HeadBatch(symbol=choice.symbol, log_prob=choice.log_prob, advantage=advantage, target=target)


def gradient_step(learner, hparams, rate, params, opt_state, batch, carry, auxiliary):
    """Take one step of one agent: ``(params, opt_state, logs)``."""
    gradients, logs = jax.grad(agent_loss, has_aux=True)(
        params, batch, carry, auxiliary, learner.network, learner.model, learner.config.learner, hparams
    )
    params, opt_state, norms = apply_gradients(
        params, opt_state, gradients, learner.optimizer, rate, hparams.max_grad_norm
    )
    return params, opt_state, logs | norms


def learn_a2c(learner, hparams, rate, params, opt_state, batch, carry, auxiliary, key):
    """Take one step on the whole rollout."""
    del key
    return gradient_step(learner, hparams, rate, params, opt_state, batch, carry, auxiliary)


def learn_ppo(learner, hparams, rate, params, opt_state, batch, carry, auxiliary, key):
    """Take several epochs of steps on groups of environments, whole in time, from the carries they were acted with.

    Rewards, and influence with them, stay as they were when the rollout was collected.
    """
    config = learner.config.learner
    keys = jax.random.split(key, config.ppo_epochs)
    groups = jax.vmap(lambda k: jax.random.permutation(k, config.num_envs))(keys)
    groups = groups.reshape(config.ppo_epochs * config.ppo_minibatches, -1)

    def step(carried, group):
        data, extra = jax.tree.map(lambda x: x[:, group], (batch, auxiliary))
        before = jax.tree.map(lambda x: x[group], carry)
        params, opt_state, logs = gradient_step(learner, hparams, rate, *carried, data, before, extra)
        return (params, opt_state), logs

    (params, opt_state), logs = jax.lax.scan(step, (params, opt_state), groups)
    return params, opt_state, jax.tree.map(lambda x: x.mean(axis=0), logs)


LEARNERS = {"a2c": learn_a2c, "ppo": learn_ppo}


def report(learner, episode_sums: EpisodeSums, trajectory, logs: dict[str, jax.Array]):
    """Turn a rollout into means that add up over updates: per agent ``f32[N]`` or over all ``f32[]``."""
    one = jnp.ones((), jnp.float32)
    logs = {name: Mean(total=jnp.mean(value), count=one) for name, value in logs.items()}
    valid = trajectory.valid
    influence_reward = trajectory.actor_output.influence.sum(axis=-1)
    informed = trajectory.actor_output.mutual_information.sum(axis=-1)
    logs |= {
        "agent_influence": mean_over(influence_reward, valid),
        "influence": mean_over(influence_reward.mean(axis=-1), valid),
        "mutual_information": mean_over(informed.mean(axis=-1), valid),
        "step_reward": mean_over(trajectory.reward.sum(axis=-1), valid),
        "visible_fraction": mean_over(
            trajectory.visible.sum(axis=(-2, -1))
            / max(1, learner.env.spec.num_agents * (learner.env.spec.num_agents - 1)),
            valid,
        ),
    }
    ended = valid & (trajectory.truncated | (trajectory.discount == 0))
    episode_sums, sums, finished = metrics.add_episodes(
        episode_sums, trajectory.reward, trajectory.metrics, trajectory.first, ended
    )
    logs |= {
        "agent_returns": mean_over(sums.reward, finished),
        "collective_return": mean_over(sums.reward.sum(axis=-1), finished),
        "equality": mean_over(metrics.equality(sums.reward), finished),
        "episodes": Mean(total=finished.sum().astype(jnp.float32), count=one),
    }
    for name, fact in sums.metrics.items():
        logs[f"agent_{name}"] = mean_over(fact, finished)
        logs[name] = mean_over(fact.sum(axis=-1), finished)
    return episode_sums, logs
