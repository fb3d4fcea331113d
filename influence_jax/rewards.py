"""What an agent is paid: the environment's reward and influence, mixed, and scaled to a learnable size."""

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.config import Hyperparams

INFLUENCE_LIMIT = 10.0  # nats, summed over influencees; binds for PMI only


def influence_weight(hparams: Hyperparams, progress: jax.Array) -> jax.Array:
    """Return beta after the fraction ``progress f32[]`` of the run: linear from 0, then constant (section 3)."""
    ramp = progress / jnp.maximum(hparams.influence_curriculum, 1e-12)
    return hparams.influence_weight * jnp.clip(ramp, 0.0, 1.0)


def mix(extrinsic: jax.Array, influence: jax.Array, weight: jax.Array, hparams: Hyperparams) -> jax.Array:
    """Pay each influencer ``alpha e + beta c``: ``extrinsic f32[..., N]``, ``influence f32[..., K, J]`` -> ``f32[..., N]``."""
    paid = jnp.clip(influence.sum(axis=-1), -INFLUENCE_LIMIT, INFLUENCE_LIMIT)
    return hparams.extrinsic_weight * extrinsic + weight * paid


@struct.dataclass
class RewardScale:
    """Running variance of each agent's discounted return (count, mean and squared deviations, after Welford and Chan)."""

    discounted: jax.Array  # f32[E,N], discounted sum of the rewards of this episode so far
    count: jax.Array  # f32[]
    mean: jax.Array  # f32[N]
    deviation: jax.Array  # f32[N], sum of squared deviations


def init_scale(num_envs: int, num_agents: int) -> RewardScale:
    """Return the statistics before any reward."""
    return RewardScale(
        discounted=jnp.zeros((num_envs, num_agents)),
        count=jnp.zeros(()),
        mean=jnp.zeros(num_agents),
        deviation=jnp.zeros(num_agents),
    )


def scale_rewards(scale: RewardScale, reward: jax.Array, first: jax.Array, discount: jax.Array):
    """Update the statistics with ``reward f32[T,E,N]`` and divide it by the standard deviation, never below 1.

    The mean is not subtracted, so ratios between rewards, and with them the game, stay as they are. Returns
    ``(scale, reward)``.
    """

    def accumulate(total, now):
        reward, first = now
        total = jnp.where(first[:, None], 0.0, total) * discount + reward
        return total, total

    discounted, returns = jax.lax.scan(accumulate, scale.discounted, (reward, first))
    size = reward.shape[0] * reward.shape[1]
    mean = returns.mean(axis=(0, 1))
    deviation = jnp.square(returns - mean).sum(axis=(0, 1))
    count = scale.count + size
    gap = mean - scale.mean
    scale = RewardScale(
        discounted=discounted,
        count=count,
        mean=scale.mean + gap * size / count,
        deviation=scale.deviation + deviation + jnp.square(gap) * scale.count * size / count,
    )
    return scale, reward / jnp.maximum(jnp.sqrt(scale.deviation / count), 1.0)
