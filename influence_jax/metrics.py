"""Social metrics, computed inside the program and averaged over the updates of a log point."""

import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class Mean:
    """A running mean as total and count, so that updates can be added up; NaN if empty."""

    total: jax.Array
    count: jax.Array

    def value(self) -> jax.Array:
        """Return the mean."""
        return self.total / jnp.where(self.count > 0, self.count, jnp.nan)


def mean_over(values: jax.Array, mask: jax.Array) -> Mean:
    """Average ``values [*B, ...]`` over the leading axes where ``mask bool[*B]`` is true; trailing axes stay."""
    axes = tuple(range(mask.ndim))
    expanded = mask.reshape(*mask.shape, *([1] * (values.ndim - mask.ndim)))
    return Mean(total=jnp.where(expanded, values, 0.0).sum(axis=axes), count=mask.sum().astype(jnp.float32))


def equality(returns: jax.Array) -> jax.Array:
    """Return one minus the Gini coefficient of ``returns f32[..., N]``, in [0, 1] (section 5 of the paper's supplement).

    With N agents and non-negative returns it is at least 1/N. It is defined as 0 if the sum is not positive.
    """
    total = returns.sum(axis=-1)
    differences = jnp.abs(returns[..., :, None] - returns[..., None, :]).sum(axis=(-2, -1))
    gini = differences / (2 * returns.shape[-1] * jnp.where(total > 0, total, 1.0))
    return jnp.where(total > 0, jnp.clip(1.0 - gini, 0.0, 1.0), 0.0)


def sustainability(apples: jax.Array, times: jax.Array) -> jax.Array:
    """Return the mean step at which apples are eaten, f32[...] of ``apples f32[T, ..., N]`` and ``times i32[T, ...]``.

    Every agent's mean has equal weight, those that eat nothing are left out, and it is NaN if nobody eats (Perolat et al. 2017).
    """
    eaten = apples.sum(axis=0)
    mean_time = (apples * times[..., None].astype(jnp.float32)).sum(axis=0) / jnp.where(eaten > 0, eaten, jnp.inf)
    eaters = (eaten > 0).sum(axis=-1, dtype=jnp.int32)
    return jnp.where(eaters > 0, mean_time.sum(axis=-1) / jnp.maximum(eaters, 1), jnp.nan)


def peace(hits: jax.Array, played: jax.Array) -> jax.Array:
    """Return the mean number of agents not hit in a step, f32[...] of ``hits f32[T, ..., N]`` where ``played bool[T, ...]``."""
    unhurt = ((hits == 0) & played[..., None]).sum(axis=(0, -1), dtype=jnp.int32)
    return unhurt / played.sum(axis=0, dtype=jnp.int32)


@struct.dataclass
class EpisodeSums:
    """Sums over the current episode of each environment."""

    reward: jax.Array  # f32[E,N]
    metrics: dict[str, jax.Array]  # f32[E,N], the environment's metrics
    whole: jax.Array  # bool[E], False if the sums do not start with the episode


def init_episode_sums(num_envs: int, num_agents: int, names: tuple[str, ...], whole: jax.Array) -> EpisodeSums:
    """Return sums of zero."""
    zeros = jnp.zeros((num_envs, num_agents), jnp.float32)
    return EpisodeSums(reward=zeros, metrics=dict.fromkeys(names, zeros), whole=whole)


def add_episodes(
    episode_sums: EpisodeSums, reward, metrics, first, ended
) -> tuple[EpisodeSums, EpisodeSums, jax.Array]:
    """Add a rollout, time first, and return ``(episode_sums, sums after each step, finished bool[T,E])``.

    ``finished`` marks the last step of each episode that was summed from its start; read the sums there.
    """

    def step(episode_sums, now):
        reward, metrics, first, ended = now
        restart = first[:, None]
        episode_sums = EpisodeSums(
            reward=jnp.where(restart, 0.0, episode_sums.reward) + reward,
            metrics={name: jnp.where(restart, 0.0, episode_sums.metrics[name]) + metrics[name] for name in metrics},
            whole=episode_sums.whole | first,
        )
        return episode_sums, (episode_sums, ended & episode_sums.whole)

    episode_sums, (sums, finished) = jax.lax.scan(step, episode_sums, (reward, metrics, first, ended))
    return episode_sums, sums, finished
