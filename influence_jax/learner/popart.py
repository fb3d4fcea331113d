"""PopArt: values learned in units of their own moments, which may change without changing the values (van Hasselt et al. 2016).

A value head's output ``n`` stands for the value ``sigma n + mu``, with the running mean and deviation of each agent's returns.
"""

from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError
from influence_jax.fusion import reciprocal
from influence_jax.learner.losses import HeadBatch
from influence_jax.rewards import RewardScale
from influence_jax.types import HeadSample

SMALLEST_DEVIATION = 1e-2  # in rewards; what returns that never vary are divided by


def moments(scale: RewardScale) -> tuple[jax.Array, jax.Array]:
    """Return ``(mu, sigma) f32[N]``."""
    return scale.mean * reciprocal(jnp.maximum(scale.weight, 1e-12)), scale.std(SMALLEST_DEVIATION)


def value_units(reward_scaling: str, scale: dict[str, RewardScale]) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Return by head ``(mean, deviation) f32[N]``: a value head's output ``n`` stands for ``deviation n + mean``, in rewards."""
    if reward_scaling == "popart":
        return {head: moments(x) for head, x in scale.items()}
    if reward_scaling == "running_std":
        return {head: (jnp.zeros_like(x.mean), x.std()) for head, x in scale.items()}
    return {head: (jnp.zeros_like(x.mean), jnp.ones_like(x.mean)) for head, x in scale.items()}


def values_in_rewards(samples: dict[str, HeadSample], scale: dict[str, RewardScale]) -> dict[str, HeadSample]:
    """Return what heads chose with values ``[..., N]`` in rewards."""

    def convert(sample, mean, deviation):
        return sample.replace(value=deviation * sample.value + mean)

    return {head: convert(sample, *moments(scale[head])) for head, sample in samples.items()}


def normalise(heads: dict[str, HeadBatch], params: dict, scale: dict[str, RewardScale]):
    """Add the targets of a rollout to the moments, and return ``(heads, params, scale)`` in the units of the new ones.

    Batches are ``[N,T,E]``, parameters lead with N.
    """
    new = {head: scale[head].add(jnp.moveaxis(batch.target, 0, -1)) for head, batch in heads.items()}

    def convert(batch, mean, deviation):
        mean, deviation = mean[:, None, None], deviation[:, None, None]
        unit = reciprocal(deviation)
        return batch.replace(target=(batch.target - mean) * unit, advantage=batch.advantage * unit)

    heads = {head: convert(batch, *moments(new[head])) for head, batch in heads.items()}
    return heads, preserve_values(params, value_units("popart", scale), value_units("popart", new)), new


def preserve_values(params: dict, old: dict[str, Any], new: dict[str, Any]) -> dict:
    """Return all agents' parameters, leading N, with value heads that say in the new `value_units` what they said in the old."""
    params = dict(params)
    for head in old:
        name = "value_head" if head == "action" else f"{head}_value_head"
        if name not in params:
            raise ConfigError(
                f"learner.reward_scaling is 'popart' with a network without parameters {name!r}; allowed there: none, "
                "running_std."
            )
        (old_mean, old_deviation), (mean, deviation) = old[head], new[head]
        ratio, shift = old_deviation / deviation, (old_mean - mean) / deviation
        params[name] = {
            "kernel": ratio[:, None, None] * params[name]["kernel"],
            "bias": ratio[:, None] * params[name]["bias"] + shift[:, None],
        }
    return params
