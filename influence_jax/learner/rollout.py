"""Acting: T steps of E environments with fixed parameters."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import ConfigError
from influence_jax.influence.acting import Transition, decide
from influence_jax.influence.axes import own_first
from influence_jax.learner.learner import Learner
from influence_jax.learner.sight import activity
from influence_jax.learner.state import Member, RolloutState
from influence_jax.types import ActorOutput, Observation, TimeStep, Trajectory

INTERVENTIONS = 2**31 - 1  # a stream of the environments' keys that no game uses
OBSERVED_REWARD_SCALE = 10.0  # agents observe smoothed rewards divided by this


def init_rollout(learner: Learner, env_params: Any, key: jax.Array, num_envs: int, staggered: bool) -> RolloutState:
    """Reset every environment; if ``staggered``, start their clocks at different points of the episode.

    If all clocks agreed, every rollout of training would cover the same phase of the episode. An episode that is joined partway
    has no ``first`` step, and so does not count as a whole episode.
    """
    env = learner.env
    env_state, timestep = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, num_envs), env_params)
    shape = num_envs, env.spec.num_agents, *env.spec.observation_shape
    seen = timestep.observation
    if seen.dtype != jnp.uint8 or seen.shape != shape:
        raise ConfigError(
            f"{type(env).__name__} shows its agents {seen.dtype}{list(seen.shape[1:])}; allowed: images of whole numbers "
            f"from 0 to 255, which networks divide by 255: uint8{list(shape[1:])}, as its spec says."
        )
    if staggered:
        clocks = np.arange(num_envs, dtype=np.int64) * env.spec.horizon // num_envs
        env_state = env_state.replace(time=jnp.asarray(clocks.astype(np.int32)))
        timestep = dataclasses.replace(timestep, first=jnp.asarray(clocks == 0))
    return RolloutState(
        env_state=env_state,
        timestep=timestep,
        carry=learner.network.zero_carry((env.spec.num_agents, num_envs)),
        memory=learner.model.memory.init(num_envs),
        shaper_state=learner.shaper.init(num_envs, env.spec.num_agents),
    )


def rollout(
    learner: Learner,
    member: Member,
    rollout_state: RolloutState,
    length: int,
    key: jax.Array,
    soften: Callable[[jax.Array], jax.Array] = lambda reward: reward,
) -> tuple[RolloutState, Trajectory, ActorOutput]:
    """Take ``length`` steps and return ``(rollout_state, trajectory, bootstrap)``.

    ``bootstrap`` is the agents' output after the last step. Its values and its influence are used; its actions are never taken.
    Agents that observe rewards observe them after ``soften``, a function of f32[E,N].
    """
    keys = jax.vmap(lambda t: jax.random.split(jax.random.fold_in(key, t)))(jnp.arange(length, dtype=jnp.uint32))
    num_envs = rollout_state.timestep.first.shape[0]
    env_keys = jax.vmap(lambda key: jax.random.split(key, num_envs))(keys[:, 1])

    def step(rollout_state, keys):
        act_key, env_keys = keys
        now = perceived(learner, rollout_state)
        output, carry, memory = act(learner, member, rollout_state, act_key)
        env_state, after = jax.vmap(learner.env.step_or_reset, in_axes=(0, 0, 0, 0, None))(
            env_keys, rollout_state.env_state, rollout_state.timestep, output.action, member.env_params
        )
        shaper_state = observed_rewards(learner, member, rollout_state, soften(after.reward))
        transition = Trajectory(
            observation=now.observation,
            time=rollout_state.env_state.time,
            first=now.first,
            valid=~now.last,
            visible=now.visible,
            actor_output=output,
            activity=activity(learner.network, output.activations or {}),
            reward=after.reward,
            discount=after.discount,
            truncated=after.truncated,
            metrics=after.metrics,
        )
        then = RolloutState(env_state, after, carry, memory, shaper_state)
        return with_interventions(learner, member, rollout_state, output, then, env_keys, soften), transition

    rollout_state, trajectory = jax.lax.scan(step, rollout_state, (keys[:, 0], env_keys))
    bootstrap, _, _ = act(learner, member, rollout_state, jax.random.fold_in(key, length))
    return rollout_state, trajectory, bootstrap


def act(
    learner: Learner,
    member: Member,
    rollout_state: RolloutState,
    key: jax.Array,
    forced: dict[str, jax.Array] | None = None,
) -> tuple[ActorOutput, dict[str, Any], Any]:
    """Let all agents act once and return ``(output, carry, memory)``.

    ``forced`` is as in `influence_jax.influence.acting.decide`.
    """
    now = perceived(learner, rollout_state)
    state = rollout_state.carry, rollout_state.memory
    return decide(learner.model, learner.network, key, member.params, *state, now, forced)


def with_interventions(
    learner: Learner,
    member: Member,
    now: RolloutState,
    output: ActorOutput,
    then: RolloutState,
    env_keys: jax.Array,
    soften: Callable[[jax.Array], jax.Array] = lambda reward: reward,
) -> RolloutState:
    """Return the state ``then``, after a step, with a memory updated by what the influence model tried in the game.

    ``env_keys`` [E] are the keys of the step's own random draws, so that the worlds that are tried differ in actions only.
    ``soften`` is as in `rollout`.
    """
    if learner.model.intervene is None:
        return then
    noise = jax.vmap(learner.env.sample_noise, in_axes=(0, None))(env_keys, member.env_params)

    def world(actions):
        env_state, after = jax.vmap(learner.env.transition, in_axes=(0, 0, 0, None))(
            now.env_state, actions, noise, member.env_params
        )
        shaper_state = observed_rewards(learner, member, now, soften(after.reward))
        return perceived(learner, RolloutState(env_state, after, then.carry, then.memory, shaper_state))

    transition = Transition(
        keys=jax.vmap(jax.random.fold_in, in_axes=(0, None))(env_keys, INTERVENTIONS),
        timestep=now.timestep,
        output=output,
        carry=then.carry,
        memory=then.memory,
        after=perceived(learner, then),
    )
    memory = learner.model.intervene(learner.network, member.params, transition, world)
    return dataclasses.replace(then, memory=memory)


def observed_rewards(learner: Learner, member: Member, rollout_state: RolloutState, reward: jax.Array) -> Any:
    """Return the shaper's state after a step with ``reward f32[E,N]``; unchanged unless agents observe it."""
    if not learner.observe_rewards:
        return rollout_state.shaper_state
    first = rollout_state.timestep.first
    return learner.shaper.apply(rollout_state.shaper_state, reward[None], first[None], member.hyperparams)[0]


def perceived(learner: Learner, rollout_state: RolloutState) -> TimeStep:
    """Return the time step as agents perceive it, with all agents' smoothed rewards (own first) under ``observe_rewards``."""
    timestep, observe = rollout_state.timestep, learner.shaper.observe
    if not learner.observe_rewards or observe is None:
        return timestep
    levels = jnp.where(timestep.first[:, None], 0.0, observe(rollout_state.shaper_state))
    extra = own_first(levels / OBSERVED_REWARD_SCALE)
    return dataclasses.replace(timestep, observation=Observation(image=timestep.observation, extra=extra))
