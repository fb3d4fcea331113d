"""Acting: T steps of E environments under fixed parameters."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.types import TimeStep, Trajectory


@struct.dataclass
class RolloutState:
    """Everything that acting carries from one step to the next."""

    env_state: Any  # leading E
    timestep: TimeStep  # leading E
    carry: Any  # {branch: Carry}, leading [N,E]
    memory: Any  # of the influence model


def start(env, env_params, network, model, num_envs: int, key: jax.Array) -> RolloutState:
    """Reset every environment and start its clock at another point of the episode.

    With all clocks in step, every rollout would see one phase of the episode only. An episode that is joined part-way has
    no ``first`` step, so that nobody takes it for a whole one.
    """
    env_state, timestep = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, num_envs), env_params)
    clocks = jnp.arange(num_envs) * env.spec.horizon // num_envs
    return RolloutState(
        env_state=env_state.replace(time=clocks.astype(env_state.time.dtype)),
        timestep=timestep.replace(first=clocks == 0),
        carry=network.zero_carry((env.spec.num_agents, num_envs)),
        memory=model.init_memory(num_envs),
    )


def rollout(env, env_params, network, model, params, rollout_state: RolloutState, length: int, key: jax.Array):
    """Take ``length`` steps. Returns ``(rollout_state, trajectory, bootstrap)``.

    ``bootstrap`` is the decision after the last step: its values and its influence are used, its actions never taken.
    """

    keys = jax.vmap(lambda t: jax.random.split(jax.random.fold_in(key, t)))(jnp.arange(length))
    env_keys = jax.vmap(lambda key: jax.random.split(key, rollout_state.timestep.first.shape[0]))(keys[:, 1])

    def step(rollout_state, keys):
        act_key, env_keys = keys
        output, carry, memory = model.decide(
            network, act_key, params, rollout_state.carry, rollout_state.memory, rollout_state.timestep
        )
        now = rollout_state.timestep
        env_state, after = jax.vmap(env.step_or_reset, in_axes=(0, 0, 0, 0, None))(
            env_keys, rollout_state.env_state, now, output.action, env_params
        )
        if model.about_next_action:
            goes_on = ~after.last[:, None, None]
            output = output.replace(
                influence=jnp.where(goes_on, output.influence, 0.0),
                mutual_information=jnp.where(goes_on, output.mutual_information, 0.0),
            )
        transition = Trajectory(
            observation=now.observation,
            first=now.first,
            valid=~now.last,
            visible=now.visible,
            actor_output=output,
            reward=after.reward,
            discount=after.discount,
            truncated=after.truncated,
            metrics=after.metrics,
        )
        return RolloutState(env_state=env_state, timestep=after, carry=carry, memory=memory), transition

    rollout_state, trajectory = jax.lax.scan(step, rollout_state, (keys[:, 0], env_keys))
    bootstrap_key = jax.random.fold_in(key, length)
    bootstrap, _, _ = model.decide(
        network, bootstrap_key, params, rollout_state.carry, rollout_state.memory, rollout_state.timestep
    )
    return rollout_state, trajectory, bootstrap
