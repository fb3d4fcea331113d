"""One update: act, pay, learn. It reads from top to bottom."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax import metrics, rewards
from influence_jax.learner.losses import AgentBatch, agent_loss
from influence_jax.learner.optimizer import apply_gradients, learning_rate
from influence_jax.learner.returns import advantages
from influence_jax.learner.rollout import Actors, rollout
from influence_jax.metrics import EpisodeTally, Mean, mean_over
from influence_jax.rewards import RewardScale


@struct.dataclass
class LearnerState:
    """Everything a run is, between two updates."""

    params: Any  # leading N
    opt_state: Any  # leading N
    actors: Actors
    reward_scale: RewardScale
    tally: EpisodeTally
    key: jax.Array  # of the run; never changes, streams are folded in by counter
    update: jax.Array  # i32[], updates done


def update(learner, state: LearnerState, hparams, num_updates: jax.Array) -> tuple[LearnerState, dict[str, Mean]]:
    """Do one update of every agent; ``num_updates f32[]`` is the length of the run, to which the schedules refer."""
    config, network, model = learner.config.learner, learner.network, learner.model
    progress = state.update / num_updates

    # Act.
    key = jax.random.fold_in(state.key, state.update)
    actors, trajectory, bootstrap = rollout(
        learner.env, learner.env_params, network, model, state.params, state.actors, config.rollout_length, key
    )

    # Pay.
    weight = rewards.influence_weight(hparams, progress)
    reward = rewards.mix(trajectory.reward, trajectory.decision.influence, weight, hparams)
    scale = state.reward_scale
    if config.reward_scaling == "running_std":
        scale, reward = rewards.scale_rewards(scale, reward, trajectory.first, hparams.discount)

    # Returns: one stream per environment and agent.
    per_agent = jax.vmap(advantages, in_axes=(1, None, 1, 0, None, None, None), out_axes=1)
    per_env = jax.vmap(per_agent, in_axes=(1, 1, 1, 0, 1, None, None), out_axes=1)
    advantage, target = per_env(
        reward,
        trajectory.discount,
        trajectory.decision.value,
        bootstrap,
        trajectory.truncated,
        hparams.discount,
        hparams.gae_lambda,
    )

    # Learn: every agent alone, by vmap over the leading agent axis.
    batch = AgentBatch(
        observation=jnp.moveaxis(trajectory.observation, 2, 0),
        first=trajectory.first,
        valid=trajectory.valid,
        context=jnp.moveaxis(trajectory.decision.context, 2, 0),
        action=jnp.moveaxis(trajectory.decision.action, 2, 0),
        advantage=jnp.moveaxis(advantage, 2, 0),
        target=jnp.moveaxis(target, 2, 0),
    )
    auxiliary = model.auxiliary_batch(trajectory) if model.auxiliary_batch else None
    rate = learning_rate(hparams, progress)

    def learn(params, opt_state, batch, carry, auxiliary):
        gradients, logs = jax.grad(agent_loss, has_aux=True)(
            params, batch, carry, auxiliary, network, model, config, hparams
        )
        params, opt_state, norms = apply_gradients(
            params, opt_state, gradients, learner.optimizer, rate, hparams.max_grad_norm
        )
        return params, opt_state, logs | norms

    shared = AgentBatch(observation=0, first=None, valid=None, context=0, action=0, advantage=0, target=0)
    params, opt_state, logs = jax.vmap(learn, in_axes=(0, 0, shared, 0, 0))(
        state.params, state.opt_state, batch, state.actors.carry, auxiliary
    )

    # Report.
    tally, logs = report(learner, state.tally, trajectory, logs | {"influence_weight": weight, "learning_rate": rate})
    state = state.replace(
        params=params,
        opt_state=opt_state,
        actors=actors,
        reward_scale=scale,
        tally=tally,
        update=state.update + 1,
    )
    return state, logs


def report(learner, tally: EpisodeTally, trajectory, logs: dict[str, jax.Array]):
    """Turn a rollout into means that add up over updates: per agent ``f32[N]`` or over all ``f32[]``."""
    one = jnp.ones((), jnp.float32)
    logs = {name: Mean(total=jnp.mean(value), count=one) for name, value in logs.items()}
    valid = trajectory.valid
    paid = trajectory.decision.influence.sum(axis=-1)
    informed = trajectory.decision.mutual_information.sum(axis=-1)
    logs |= {
        "agent_influence": mean_over(paid, valid),
        "influence": mean_over(paid.mean(axis=-1), valid),
        "mutual_information": mean_over(informed.mean(axis=-1), valid),
        "step_reward": mean_over(trajectory.reward.sum(axis=-1), valid),
        "visible_fraction": mean_over(
            trajectory.visible.sum(axis=(-2, -1))
            / max(1, learner.env.spec.num_agents * (learner.env.spec.num_agents - 1)),
            valid,
        ),
    }
    ended = valid & (trajectory.truncated | (trajectory.discount == 0))
    tally, sums, finished = metrics.tally_episodes(
        tally, trajectory.reward, trajectory.metrics, trajectory.first, ended
    )
    logs |= {
        "agent_returns": mean_over(sums.reward, finished),
        "collective_return": mean_over(sums.reward.sum(axis=-1), finished),
        "equality": mean_over(metrics.equality(sums.reward), finished),
        "episodes": Mean(total=finished.sum().astype(jnp.float32), count=one),
    }
    for name, fact in sums.facts.items():
        logs[f"agent_{name}"] = mean_over(fact, finished)
        logs[name] = mean_over(fact.sum(axis=-1), finished)
    return tally, logs
