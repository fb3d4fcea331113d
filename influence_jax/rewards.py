"""Rewards: the environment's and the influence reward, mixed, shaped and scaled to a learnable size."""

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.config import Hyperparams

INFLUENCE_LIMIT = 10.0  # nats, summed over influencees; binds for PMI only


def influence_weight(hparams: Hyperparams, progress: jax.Array) -> jax.Array:
    """Return beta after the fraction ``progress f32[]`` of the run: linear from 0, then constant (section 3)."""
    rising = progress < hparams.influence_curriculum
    ramp = jnp.where(rising, progress / jnp.where(rising, hparams.influence_curriculum, 1.0), 1.0)
    return hparams.influence_weight * ramp


def influence_reward(influence: jax.Array, hparams: Hyperparams) -> jax.Array:
    """Sum ``influence f32[..., K, J]`` to what each agent is paid for, ``f32[..., N]``.

    That is its influence on all others, plus a share of what it received itself (Table 1, reward of influencees).
    """
    influence_reward = influence.sum(axis=-1) + hparams.influencee_share * influence.sum(axis=-2)
    return jnp.clip(influence_reward, -INFLUENCE_LIMIT, INFLUENCE_LIMIT)


def credit_cause(influence_reward: jax.Array, after: jax.Array) -> jax.Array:
    """Move influence that shows at step t + 1 to the message of step t; both f32, [T,E,N] and [E,N] (``after``, of step T).

    A message that nobody heard, because the episode ended or another began, has no influence at its next step.
    """
    return jnp.concatenate([influence_reward[1:], after[None]])


def control(
    kind: str, key: jax.Array, influence_reward: jax.Array, surprisal: jax.Array, information: jax.Array
) -> jax.Array:
    """Replace influence by what looks like it but has no causal content; everything ``f32[T,E,N]``.

    ``shuffled`` pays each environment the influence of another; ``noise`` pays normal draws of the same mean and deviation;
    ``entropy`` pays the agent's own ``surprisal``, scaled to the same mean; ``mi`` pays the mutual ``information``.
    """
    match kind:
        case "none":
            return influence_reward
        case "shuffled":
            return influence_reward[:, jax.random.permutation(key, influence_reward.shape[1])]
        case "noise":
            return influence_reward.mean() + influence_reward.std() * jax.random.normal(key, influence_reward.shape)
        case "entropy":
            return surprisal * influence_reward.mean() / jnp.maximum(surprisal.mean(), 1e-12)
        case "mi":
            return information


def discounted_sums(total: jax.Array, reward: jax.Array, first: jax.Array, decay: jax.Array):
    """Sum the past ``reward f32[T,E,N]`` of each episode, fading by ``decay`` a step.

    Goes on from ``total f32[E,N]`` and starts anew at ``first bool[T,E]``. Returns ``(total, sums f32[T,E,N])``.
    """

    def step(total, now):
        reward, first = now
        total = jnp.where(first[:, None], 0.0, total) * decay + reward
        return total, total

    return jax.lax.scan(step, total, (reward, first))


def individual(smoothed, extrinsic, first, hparams):
    """Everyone for itself."""
    del first, hparams
    return smoothed, extrinsic


def prosocial(smoothed, extrinsic, first, hparams):
    """``r_k = e_k + eta sum_{i != k} e_i`` (section 10.5.2 of the supplement)."""
    del first
    others = extrinsic.sum(axis=-1, keepdims=True) - extrinsic
    return smoothed, extrinsic + hparams.prosocial_weight * others


def inequity_averse(smoothed, extrinsic, first, hparams):
    """Subtract envy and guilt about temporally smoothed rewards (Hughes et al. 2018, equations 1 to 3)."""
    smoothed, levels = discounted_sums(smoothed, extrinsic, first, hparams.discount * hparams.inequity_decay)
    ahead = levels[..., :, None] - levels[..., None, :]  # [T,E,i,j]: by how much i is ahead of j
    others = max(1, extrinsic.shape[-1] - 1)
    envy = jnp.maximum(-ahead, 0.0).sum(axis=-1) / others
    guilt = jnp.maximum(ahead, 0.0).sum(axis=-1) / others
    return smoothed, extrinsic - hparams.envy * envy - hparams.guilt * guilt


# (smoothed f32[E,N], extrinsic f32[T,E,N], first bool[T,E], hparams) -> (smoothed, reward f32[T,E,N])
SHAPERS = {"individual": individual, "prosocial": prosocial, "inequity_averse": inequity_averse}


@struct.dataclass
class RewardScale:
    """Moments of each agent's discounted return, fading with a half-life of `RETURN_HALF_LIFE`."""

    discounted: jax.Array  # f32[E,N], discounted sum of the rewards of this episode so far
    weight: jax.Array  # f32[], total weight of the moments; approaches 1
    mean: jax.Array  # f32[N], times weight
    square: jax.Array  # f32[N], times weight


RETURN_HALF_LIFE = 100_000  # environment steps; the fines of a first phase must not hide the apples of the next


def init_scale(num_envs: int, num_agents: int) -> RewardScale:
    """Return the statistics before any reward."""
    return RewardScale(
        discounted=jnp.zeros((num_envs, num_agents)),
        weight=jnp.zeros(()),
        mean=jnp.zeros(num_agents),
        square=jnp.zeros(num_agents),
    )


def scale_rewards(scale: RewardScale, reward: jax.Array, first: jax.Array, discount: jax.Array):
    """Update the moments with ``reward f32[T,E,N]`` and divide it by the standard deviation, never below 1.

    The mean is not subtracted, so ratios between rewards, and with them the game, stay as they are. Returns
    ``(scale, reward)``.
    """
    discounted, returns = discounted_sums(scale.discounted, reward, first, discount)
    keep = 0.5 ** (reward.shape[0] * reward.shape[1] / RETURN_HALF_LIFE)

    def fade(old, new):
        return keep * old + (1.0 - keep) * new

    scale = RewardScale(
        discounted=discounted,
        weight=fade(scale.weight, 1.0),
        mean=fade(scale.mean, returns.mean(axis=(0, 1))),
        square=fade(scale.square, jnp.square(returns).mean(axis=(0, 1))),
    )
    variance = scale.square / scale.weight - jnp.square(scale.mean / scale.weight)
    return scale, reward / jnp.sqrt(jnp.maximum(variance, 1.0))
