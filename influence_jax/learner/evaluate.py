"""Whole episodes under frozen parameters: what they return, and what they look like."""

import dataclasses
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.render import save_animation
from influence_jax.learner.rollout import RolloutState, rollout, start
from influence_jax.learner.train import Learner
from influence_jax.learner.update import LearnerState
from influence_jax.metrics import equality


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What happened in whole episodes; leading axes are members ``S`` and episodes ``P``."""

    agent_returns: np.ndarray  # f32[S,P,N], the environment's reward alone
    collective_return: np.ndarray  # f32[S,P]
    equality: np.ndarray  # f32[S,P]
    influence: np.ndarray  # f32[S,P], per step, of a mean agent on all others, nats
    metrics: dict[str, np.ndarray]  # f32[S,P,N], the environment's metrics summed over the episode


def evaluate(learner: Learner, state: LearnerState, num_episodes: int = 20, seed: int = 0) -> Evaluation:
    """Play ``num_episodes`` with the parameters of every member, sampling as in training.

    The same seed gives all members the same games.
    """
    return Evaluation(**jax.device_get(_episodes(learner, num_episodes, state.params, jax.random.key(seed))))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _episodes(learner: Learner, num_episodes: int, params, key: jax.Array) -> dict[str, jax.Array]:
    def one_member(params):
        start_key, act_key = jax.random.split(key)
        rollout_state = start_together(learner, num_episodes, start_key)
        _, steps, _ = rollout(
            learner.env,
            learner.env_params,
            learner.network,
            learner.model,
            params,
            rollout_state,
            learner.env.spec.horizon,
            act_key,
        )
        # A game that ended before its horizon has begun another one, which does not count.
        playing = jnp.cumsum(steps.first, axis=0) == 1

        def total(x):
            return jnp.sum(jnp.where(playing[..., None], x, 0.0), axis=0)

        returns = total(steps.reward)
        influence = total(steps.actor_output.influence.sum(axis=-1)).mean(axis=-1)
        return {
            "agent_returns": returns,
            "collective_return": returns.sum(axis=-1),
            "equality": equality(returns),
            "influence": influence / playing.sum(axis=0),
            "metrics": {name: total(fact) for name, fact in steps.metrics.items()},
        }

    return jax.vmap(one_member)(params)


def play(learner: Learner, state: LearnerState, member: int = 0, seed: int = 0) -> Any:
    """Play one episode with a member's parameters; return the environment's states on the host, leading axis time."""
    params = jax.tree.map(lambda x: x[member], state.params)
    states, first = jax.device_get(_states(learner, params, jax.random.key(seed)))
    length = 1 + np.flatnonzero(np.append(first[1:], True))[0]
    return jax.tree.map(lambda x: x[:length], states)


@functools.partial(jax.jit, static_argnums=0)
def _states(learner: Learner, params, key: jax.Array):
    start_key, act_key = jax.random.split(key)

    def step(rollout_state, t):
        key = jax.random.fold_in(act_key, t)
        after, _, _ = rollout(
            learner.env, learner.env_params, learner.network, learner.model, params, rollout_state, 1, key
        )
        return after, (jax.tree.map(lambda x: x[0], rollout_state.env_state), rollout_state.timestep.first[0])

    rollout_state = start_together(learner, 1, start_key)
    return jax.lax.scan(step, rollout_state, jnp.arange(learner.env.spec.horizon + 1))[1]


def render_episode(
    learner: Learner, state: LearnerState, path: str | pathlib.Path, member: int = 0, seed: int = 0, fps: int = 15
) -> None:
    """Save `play` as an animation, ``.gif`` or ``.mp4``."""
    states = play(learner, state, member, seed)
    frames = [learner.env.render(jax.tree.map(lambda x, t=t: x[t], states)) for t in range(len(states.time))]
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_animation(frames, path, fps)


def start_together(learner: Learner, num_envs: int, key: jax.Array) -> RolloutState:
    """Begin all episodes at their beginning, where training staggers them."""
    rollout_state = start(learner.env, learner.env_params, learner.network, learner.model, num_envs, key)
    return rollout_state.replace(
        env_state=rollout_state.env_state.replace(time=jnp.zeros_like(rollout_state.env_state.time)),
        timestep=rollout_state.timestep.replace(first=jnp.ones((num_envs,), bool)),
    )
