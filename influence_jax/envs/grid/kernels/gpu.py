"""Kernels for a GPU: every cell computes its own value, in one fused loop instead of many small launches.

Fusion boundaries have no effect here, so a version with boundaries may be shared with the CPU.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid.kernels.cpu import clear_cells, windows
from influence_jax.envs.grid.kernels.reference import Rays

__all__ = ["clear_cells", "highest_beam", "scatter", "values_at_sites", "windows"]


def scatter(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `reference`; every cell compares its number with all given ones."""
    numbers = np.arange(maps.shape[1] * maps.shape[2], dtype=np.int32).reshape(maps.shape[1:])
    for there, put in zip(cell, value, strict=True):
        maps = jnp.where(there[:, None, None] == numbers, put[:, None, None], maps)
    return maps


def values_at_sites(values: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """See `reference`; every cell looks up its value, or a zero next to the values if it is not a site."""
    with_zero = jnp.pad(values, ((0, 0), (0, 1)))
    return with_zero[:, np.where(sites, np.cumsum(sites).reshape(sites.shape) - 1, values.shape[1])]


def highest_beam(
    rays: Rays, reach: jax.Array, cell: jax.Array, beam: jax.Array, *, shape: tuple[int, int], dtype: np.dtype
) -> jax.Array:
    """See `reference`; compares each cell with the lanes' ranges of rows and columns, 3 N times, not with each cell of a lane."""
    del cell
    beam = jnp.broadcast_to(beam, reach.shape)

    def within(first, step, size):  # bool[3,N,size,E]
        last = first + step * (reach - 1)
        place = np.arange(size, dtype=np.int32)[:, None]
        low, high = jnp.minimum(first, last)[:, :, None], jnp.maximum(first, last)[:, :, None]
        return (low <= place) & (place <= high)

    rows, columns = within(rays.row, rays.down, shape[0]), within(rays.column, rays.right, shape[1])
    rows = jnp.where(rows & (reach > 0)[:, :, None], beam[:, :, None], 0)
    bars = zip(rows.reshape(-1, *rows.shape[2:]), columns.reshape(-1, *columns.shape[2:]), strict=True)
    highest = functools.reduce(jnp.maximum, (jnp.where(across[None], along[:, None], 0) for along, across in bars))
    return jnp.moveaxis(highest, -1, 0).astype(dtype)
