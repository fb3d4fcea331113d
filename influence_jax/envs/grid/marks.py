"""Maps of a batch of games: looked up and marked at few cells, or computed cell by cell.

A cell is given by its number, row * W + column; arrays of cells trail with the batch, ``i32[K,E]``.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.kernel import kernel


def look_up(maps: jax.Array, cell: jax.Array) -> jax.Array:
    """Return [...,E]: what ``maps [E,H,W]`` hold at ``cell i32[...,E]``; for cells outside, at any cell."""
    return maps.reshape(-1).at[_in_batch(maps.shape, cell)].get(mode="clip")


@kernel
def put(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with ``value`` at ``cell i32[K,E]``; where that is negative, nowhere.

    Args:
        maps: any type.
        cell: numbers of cells; those of one game differ, or hold the same.
        value: scalar or [K,1], of the type of the maps.
    """
    value = jnp.broadcast_to(value, cell.shape).astype(maps.dtype)
    return jax.lax.platform_dependent(maps, cell, value, cpu=put_one_by_one, default=put_by_comparing)


@kernel
def put_highest(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with the highest ``value [K,E]`` at ``cell i32[K,E]``, all inside, unless what is there is higher.

    A value of 0 changes nothing.
    """
    return jax.lax.platform_dependent(maps, cell, value, cpu=put_highest_one_by_one, default=put_highest_by_comparing)


# A CPU puts one value after another, which takes it less than a nanosecond each. Elsewhere every cell asks at once.


def put_one_by_one(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `put`."""
    place = jnp.where(cell < 0, maps.size, _in_batch(maps.shape, cell))
    return maps.reshape(-1).at[place].set(value, mode="drop").reshape(maps.shape)


def put_by_comparing(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `put`."""
    for here, there in zip(_everywhere(maps.shape, cell), value, strict=True):
        maps = jnp.where(here, there[:, None, None], maps)
    return maps


def put_highest_one_by_one(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `put_highest`."""
    return maps.reshape(-1).at[_in_batch(maps.shape, cell)].max(value, mode="promise_in_bounds").reshape(maps.shape)


def put_highest_by_comparing(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """See `put_highest`."""
    values = jnp.where(_everywhere(maps.shape, cell), value[..., None, None], jnp.zeros((), value.dtype))
    return jnp.maximum(maps, values.max(axis=0))


def _in_batch(shape: tuple[int, int, int], cell: jax.Array) -> jax.Array:
    """Return i32[...,E]: the place of a ``cell i32[...,E]`` among all cells of the batch."""
    games, height, width = shape
    return np.arange(games, dtype=np.int32) * (height * width) + cell


def _everywhere(shape: tuple[int, int, int], cell: jax.Array) -> jax.Array:
    """Return bool[K,E,H,W]: where each ``cell i32[K,E]`` is."""
    return cell[..., None, None] == np.arange(shape[1] * shape[2], dtype=np.int32).reshape(shape[1:])


def by_cell(function: Callable) -> Callable:
    """Return the elementwise ``function`` for whole maps, [E,H,W] each (the first at least) or [H,W] for all games.

    It should select rather than combine truth values: ``a & ~b`` of bool becomes no vector instructions, ``where(b, False,
    a)`` does.
    """
    loop = kernel(function)

    def call(first: jax.Array, *others: jax.Array) -> jax.Array:
        flat = (x.reshape(*x.shape[:-2], -1) for x in (first, *others))
        return loop(*flat).reshape(first.shape)

    return call


def pick(index: jax.Array, values: Sequence[int]) -> jax.Array:
    """Return i32 like ``index``: ``values[index]``, without loads from memory; 0 outside."""
    chosen = jnp.zeros_like(index)
    for number, value in enumerate(values):
        chosen = jnp.where(index == number, value, chosen)
    return chosen
