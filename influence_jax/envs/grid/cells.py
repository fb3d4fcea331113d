"""Maps of a batch of games: marked at few cells, or computed cell by cell.

A cell is given by its number, row * W + column; arrays of cells trail with the batch, ``i32[K,E]``.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import kernels, maps
from influence_jax.fusion import fusion_boundary


@fusion_boundary
def scatter(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with ``value`` at ``cell i32[K,E]``; where that is negative, nowhere.

    Args:
        maps: any type.
        cell: numbers of cells; those of one game differ, or hold the same.
        value: scalar or [K,1], of the type of the maps.
    """
    value = jnp.broadcast_to(value, cell.shape).astype(maps.dtype)
    return kernels.scatter(maps, cell, value)


def elementwise(function: Callable) -> Callable:
    """Return the elementwise ``function`` for whole maps, [E,H,W] each (the first at least) or [H,W] for all games.

    It should select rather than combine truth values: ``a & ~b`` of bool becomes no vector instructions, ``where(b, False,
    a)`` does.
    """
    loop = fusion_boundary(function)

    def call(first: jax.Array, *others: jax.Array) -> jax.Array:
        flat = (x.reshape(*x.shape[:-2], -1) for x in (first, *others))
        return loop(*flat).reshape(first.shape)

    return call


def select(index: jax.Array, values: Sequence[int]) -> jax.Array:
    """Return i32 like ``index``: ``values[index]``, without loads from memory; 0 outside."""
    chosen = jnp.zeros_like(index)
    for number, value in enumerate(values):
        chosen = jnp.where(index == number, value, chosen)
    return chosen


@fusion_boundary
def nth(counts: jax.Array, n: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Find the ``n``-th, from 0, of things that lie in K places, ``counts [K,E]`` of them in each.

    Returns:
        i32[E], its place, 0 where ``n i32[E]`` is negative and K where there are no more than n; and i32[E], the number of it
        within its place.
    """
    counts = counts.astype(jnp.int32)
    before = kernels.exclusive_cumsum(counts)
    place = jnp.sum(before + counts <= n, axis=0, dtype=jnp.int32)
    return place, n - jnp.max(jnp.where(before <= n, before, 0), axis=0)


def free_by_row(taken: jax.Array, sites: np.ndarray) -> jax.Array:
    """Return i32[H,E]: the number of ``sites bool[H,W]`` in each row that are not in ``taken bool[E,H,W]``."""
    across = maps.columns(sites)

    @fusion_boundary
    def count(taken):
        return jnp.sum(sites[:, across] & ~taken[:, :, across], axis=2, dtype=jnp.int32).T

    return count(taken)


def nth_free(taken: jax.Array, n: jax.Array, sites: np.ndarray) -> jax.Array:
    """Return i32[E], the number of the ``n i32[E]``-th of ``sites bool[H,W]``, row-major, not in ``taken bool[E,H,W]``.

    It is -1 where n is negative; there have to be more than n.
    """
    across, width = maps.columns(sites), sites.shape[1]
    row, rest = nth(free_by_row(taken, sites), n)
    columns = np.arange(across.start, across.stop, dtype=np.int32)[:, None]
    cell = row * width + columns
    free = kernels.look_up(cell, drawn=sites) & ~kernels.gather(taken, cell)
    column = across.start + nth(free, rest)[0]
    return jnp.where(n >= 0, row * width + column, -1)


def neighbours(there: jax.Array, squared_distance: int) -> jax.Array:
    """Return u8[E,H,W]: the true cells of ``there bool[E,H,W]`` within a distance of each cell, itself left out."""
    games, height, width = there.shape
    reach = max(2, math.isqrt(squared_distance))  # the loops for a frame of 1 take a CPU 4 % of a step of Harvest more

    @fusion_boundary
    def framed(there):
        return jnp.pad(there.astype(jnp.uint8), ((0, 0), (reach, reach), (reach, reach)))

    @fusion_boundary
    def count(padded):
        total = jnp.zeros((games, height, width), jnp.uint8)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                if 0 < down**2 + right**2 <= squared_distance:
                    total += padded[:, reach + down :, reach + right :][:, :height, :width]
        return total

    return count(framed(there))
