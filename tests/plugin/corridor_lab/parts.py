"""Parts that differ from ours by little."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp

from influence_jax.envs import Harvest
from influence_jax.networks.agent import NETWORKS
from influence_jax.settings import integer, texts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corridor(Harvest):
    """Harvest in a corridor."""

    layout: Sequence[str] | str = texts(("P AAA P",), "A map.")
    num_agents: int = integer(2, 1, "N.")
    view_radius: int = integer(2, 0, "Cells seen in each direction.")
    horizon: int = integer(10, 1, "Environment steps per episode.")


def total_variation(factual, marginal, realised, axis=-1):
    """Half the sum of absolute differences."""
    del realised
    return 0.5 * jnp.sum(jnp.abs(jnp.exp(factual) - jnp.exp(marginal)), axis=axis)


def small(spec, sizes):
    """Our network with three units."""
    return NETWORKS["lstm"](spec, dataclasses.replace(sizes, core_size=3))
