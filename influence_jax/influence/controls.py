"""Negative controls: rewards that look like influence but have no causal content, paid in its place.

Every control takes ``(key, reward, surprisal, information, acts)`` and returns ``f32[T,E,N]``. All but the key are
``f32[T,E,N]``: the influence reward, the negative log probability of the agent's choice, the reward with the mutual
information in place of the influence, and 1 where the agent did what a bonus is for. A reward of exactly 0 marks a step without
a pair that counts: nobody in view, no message heard, the end of an episode.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from influence_jax.config import Hyperparams
from influence_jax.influence.model import InfluenceModel, as_information
from influence_jax.types import ActorOutput, Trajectory


def none(key, reward, surprisal, information, acts):
    """Pay influence itself."""
    del key, surprisal, information, acts
    return reward


def shuffled(key, reward, surprisal, information, acts):
    """Pay each environment the influence of another one, by a permutation without fixed points; needs at least two of them."""
    del surprisal, information, acts
    cycle = jax.random.permutation(key, reward.shape[1])
    return reward[:, jnp.zeros_like(cycle).at[cycle].set(jnp.roll(cycle, 1))]


def noise(key, reward, surprisal, information, acts):
    """Pay each agent normal draws with the mean and standard deviation of its influence, at the steps at which it had any."""
    del surprisal, information, acts
    paid = reward != 0
    mean = _mean(reward, paid)
    deviation = jnp.sqrt(_mean(jnp.square(reward - mean), paid))
    return jnp.where(paid, mean + deviation * jax.random.normal(key, reward.shape, reward.dtype), 0.0)


def entropy(key, reward, surprisal, information, acts):
    """Pay each agent its own surprisal, scaled to the mean of its influence, at the steps at which it had any."""
    del key, information, acts
    paid = reward != 0
    scale = _mean(reward, paid) / jnp.maximum(_mean(surprisal, paid), 1e-12)
    return jnp.where(paid, surprisal * scale, 0.0)


def mi(key, reward, surprisal, information, acts):
    """Pay the mutual information, which does not depend on the agent's choice."""
    del key, reward, surprisal, acts
    return information


def act_bonus(key, reward, surprisal, information, acts):
    """Pay each agent for some of its actions, seen or not, scaled to the mean of its influence."""
    del key, surprisal, information
    everywhere = jnp.ones_like(reward, bool)
    return acts * (_mean(reward, everywhere) / jnp.maximum(_mean(acts, everywhere), 1e-12))


def _mean(x: jax.Array, where: jax.Array) -> jax.Array:
    """Return each agent's mean f32[N] of ``x f32[T,E,N]`` over the steps that count; 0 if none does."""
    return jnp.sum(jnp.where(where, x, 0.0), axis=(0, 1)) / jnp.maximum(where.sum(axis=(0, 1), dtype=jnp.float32), 1.0)


Control = Callable[[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]

CONTROLS: dict[str, Control] = {
    "none": none,
    "shuffled": shuffled,
    "noise": noise,
    "entropy": entropy,
    "mi": mi,
    "act_bonus": act_bonus,
}


def controlled_influence_reward(
    model: InfluenceModel,
    control: Control,
    key: jax.Array,
    trajectory: Trajectory,
    bootstrap: ActorOutput,
    hparams: Hyperparams,
    bonus_actions: tuple[int, ...] = (),
) -> jax.Array:
    """Return the influence reward ``f32[T,E,N]`` in nats, or what a control pays in its place.

    ``bonus_actions`` are those that the control `act_bonus` pays for.
    """
    action = trajectory.actor_output.action
    acts = sum((action == act for act in bonus_actions), jnp.zeros_like(action)).astype(jnp.float32)
    information = model.influence_reward(*as_information(trajectory, bootstrap), hparams)
    surprisal = -trajectory.actor_output.samples[model.channel].log_prob
    return control(key, model.influence_reward(trajectory, bootstrap, hparams), surprisal, information, acts)
