"""Maps of a batch of games: looked up and marked at few cells, or computed cell by cell.

A cell is given by its number, row * W + column; arrays of cells trail with the batch, ``i32[K,E]``.
"""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import maps
from influence_jax.fusion import fusion_boundary
from influence_jax.platforms import by_platform


def gather(maps: jax.Array, cell: jax.Array) -> jax.Array:
    """Return bool[...,E]: what ``maps bool[E,H,W]`` hold at ``cell i32[...,E]``; for cells outside, at any cell."""
    return by_platform(maps, cell, tpu=gather_by_bits, default=gather_by_index)


def gather_by_index(maps: jax.Array, cell: jax.Array) -> jax.Array:
    """See `gather`."""
    return maps.reshape(-1).at[_in_batch(maps.shape, cell)].get(mode="clip")


def gather_by_bits(maps: jax.Array, cell: jax.Array) -> jax.Array:
    """See `gather`; every row of a map is a few words, of which the right one is selected, for a TPU has no use for loads."""
    width = maps.shape[2]
    bits = jnp.where(maps, _bits(width), np.uint32(0))
    parts = (jnp.sum(bits[..., first : first + 32], axis=-1, dtype=jnp.uint32) for first in range(0, width, 32))
    words = jnp.stack([part.T for part in parts], axis=1).reshape(-1, len(maps))  # u32[H * count, E]
    return _bit_of(words, width, cell)


def look_up(drawn: np.ndarray, cell: jax.Array) -> jax.Array:
    """Return bool like ``cell i32``: what ``drawn bool[H,W]``, the same in all games, holds there; all cells are inside."""
    by_bits, by_index = (functools.partial(way, drawn) for way in (look_up_by_bits, look_up_by_index))
    return by_platform(cell, tpu=by_bits, default=by_index)


def look_up_by_index(drawn: np.ndarray, cell: jax.Array) -> jax.Array:
    """See `look_up`."""
    return jnp.asarray(drawn.reshape(-1))[cell]


def look_up_by_bits(drawn: np.ndarray, cell: jax.Array) -> jax.Array:
    """See `look_up` and `gather_by_bits`."""
    width = drawn.shape[1]
    bits = np.where(drawn, _bits(width), np.uint32(0))
    parts = [bits[:, first : first + 32].sum(axis=1, dtype=np.uint32) for first in range(0, width, 32)]
    return _bit_of(np.stack(parts, axis=1).reshape(-1), width, cell)


def _bits(width: int) -> np.ndarray:
    return np.uint32(1) << (np.arange(width, dtype=np.uint32) % 32)


def _bit_of(words: jax.Array | np.ndarray, width: int, cell: jax.Array) -> jax.Array:
    """Return bool like ``cell``: its bit in ``words``, which hold 32 columns of a row each, row after row."""
    row, column = cell // width, cell % width
    which, chosen = row * -(-width // 32) + column // 32, jnp.zeros(cell.shape, jnp.uint32)
    for number, word in enumerate(words):
        chosen = jnp.where(which == number, word, chosen)
    return (chosen >> (column % 32).astype(jnp.uint32) & 1) > 0


@fusion_boundary
def scatter(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with ``value`` at ``cell i32[K,E]``; where that is negative, nowhere.

    Args:
        maps: any type.
        cell: numbers of cells; those of one game differ, or hold the same.
        value: scalar or [K,1], of the type of the maps.
    """
    value = jnp.broadcast_to(value, cell.shape).astype(maps.dtype)
    return by_platform(maps, cell, value, cpu=scatter_by_index, default=scatter_by_comparison)


@fusion_boundary
def scatter_max(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with the highest ``value [K,E]`` at ``cell i32[K,E]``, all inside, unless what is there is higher.

    A value of 0 changes nothing.
    """
    return maps.reshape(-1).at[_in_batch(maps.shape, cell)].max(value, mode="promise_in_bounds").reshape(maps.shape)


# A CPU puts one value after another, which takes it less than a nanosecond each. Elsewhere every cell asks at once.


def scatter_by_index(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `scatter`."""
    place = jnp.where(cell < 0, maps.size, _in_batch(maps.shape, cell))
    return maps.reshape(-1).at[place].set(value, mode="drop").reshape(maps.shape)


def scatter_by_comparison(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `scatter`."""
    numbers = np.arange(maps.shape[1] * maps.shape[2], dtype=np.int32).reshape(maps.shape[1:])
    for there, put in zip(cell, value, strict=True):
        maps = jnp.where(there[:, None, None] == numbers, put[:, None, None], maps)
    return maps


def _in_batch(shape: tuple[int, int, int], cell: jax.Array) -> jax.Array:
    """Return i32[...,E]: the place of a ``cell i32[...,E]`` among all cells of the batch."""
    games, height, width = shape
    return np.arange(games, dtype=np.int32) * (height * width) + cell


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
    before = by_platform(counts, tpu=_before_by_product, default=_before_by_sums)
    place = jnp.sum(before + counts <= n, axis=0, dtype=jnp.int32)
    return place, n - jnp.max(jnp.where(before <= n, before, 0), axis=0)


def _before_by_sums(counts: jax.Array) -> jax.Array:
    """Return i32[K,E], how many are in all earlier places."""
    earlier = np.tri(len(counts), k=-1, dtype=bool)[..., None]
    return jnp.sum(jnp.where(earlier, counts, 0), axis=1, dtype=jnp.int32)


def _before_by_product(counts: jax.Array) -> jax.Array:
    """See `_before_by_sums`; a TPU has a unit for matrix products."""
    earlier = np.tri(len(counts), k=-1, dtype=np.float32)
    return jnp.dot(earlier, counts.astype(jnp.float32), precision="highest").astype(jnp.int32)


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
    free = look_up(sites, cell) & ~gather(taken, cell)
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
