"""The kernels in plain JAX, which define what every version computes.

Arrays are for a batch of E games. Maps have the batch first, [E,H,W]; agents, their lanes and lists of cells have it last,
[N,E]. A cell is given by its number, row * W + column. Keyword arguments are static.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "clear_cells",
    "colour",
    "exclusive_cumsum",
    "gather",
    "highest_beam",
    "look_up",
    "scatter",
    "values_at_sites",
    "windows",
]


def gather(maps: jax.Array, cell: jax.Array) -> jax.Array:
    """Return bool[...,E]: the values of ``maps bool[E,H,W]`` at ``cell i32[...,E]``; arbitrary for cells off the map."""
    return maps.reshape(-1).at[in_batch(maps.shape, cell)].get(mode="clip")


def look_up(cell: jax.Array, *, drawn: np.ndarray) -> jax.Array:
    """Return bool like ``cell i32``: the values of ``drawn bool[H,W]``, the same in all games; all cells are on the map."""
    return jnp.asarray(drawn.reshape(-1))[cell]


def scatter(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with ``value [K,E]`` at ``cell i32[K,E]``; negative cells are ignored.

    Cells of one game are distinct, or have equal values.
    """
    place = jnp.where(cell < 0, maps.size, in_batch(maps.shape, cell))
    return maps.reshape(-1).at[place].set(value, mode="drop").reshape(maps.shape)


def in_batch(shape: tuple[int, ...], cell: jax.Array) -> jax.Array:
    """Return i32[...,E]: the index of ``cell i32[...,E]`` among all cells of maps of shape (E, H, W)."""
    games, height, width = shape
    return cell + np.arange(games, dtype=np.int32) * (height * width)


def exclusive_cumsum(counts: jax.Array) -> jax.Array:
    """Return i32[K,E]: for each place, the sum of ``counts i32[K,E]`` over all earlier places."""
    earlier = np.tri(len(counts), k=-1, dtype=bool)[..., None]
    return jnp.sum(jnp.where(earlier, counts, 0), axis=1, dtype=jnp.int32)


def values_at_sites(values: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """Return [E,H,W]: ``values [E,K]``, below 256, at the K cells of ``sites bool[H,W]`` in row-major order; 0 elsewhere."""
    nothing = jnp.zeros((len(values), sites.size), values.dtype)
    return nothing.at[:, np.flatnonzero(sites)].set(values).reshape(-1, *sites.shape)


class Rays(NamedTuple):
    """The three lanes (left, middle, right) of each agent's beam before anything stops them."""

    heading: jax.Array  # i32[N,E], their direction, which determines ``down`` and ``right``
    row: jax.Array  # i32[3,N,E], of the first cell, which may be a wall or one cell off the map
    column: jax.Array  # i32[3,N,E]
    down: jax.Array  # i32[N,E], rows of one step
    right: jax.Array  # i32[N,E], columns of one step


def clear_cells(rays: Rays, *, walls: np.ndarray, length: int) -> jax.Array:
    """Return i32[3,N,E]: how many cells of each ray come before a wall or the edge of the map, at most ``length``."""
    free = jnp.asarray(np.pad(~walls, length), jnp.int32)
    step = steps(length)
    along = free[length + rays.row + step * rays.down, length + rays.column + step * rays.right]
    return jnp.sum(jnp.cumprod(along, axis=0, dtype=jnp.int32), axis=0, dtype=jnp.int32)


def highest_beam(
    rays: Rays, reach: jax.Array, cell: jax.Array, beam: jax.Array, *, shape: tuple[int, int], dtype: np.dtype
) -> jax.Array:
    """Return [E,H,W], of ``dtype``: the highest number of any beam that covers each cell, 0 if there is none.

    Args:
        rays: the lanes of the beams.
        reach: i32[3,N,E], how many cells each lane covers; all are on the map.
        cell: i32[L,3,N,E], the numbers of the cells along the rays, up to the longest possible reach L.
        beam: i32[N,E], the number of each agent's beam, 0 for none.
        shape: (H, W).
        dtype: an unsigned type, large enough for the numbers.
    """
    del rays  # see `cell`
    height, width = shape
    nothing = jnp.zeros((cell.shape[-1], height, width), dtype)
    there = jnp.where(steps(len(cell)) < reach, beam, 0).astype(dtype)
    place = in_batch(nothing.shape, jnp.clip(cell, 0, height * width - 1))  # beyond the reach, off the map
    return nothing.reshape(-1).at[place].max(there).reshape(nothing.shape)


def steps(length: int) -> np.ndarray:
    """Return i32[L,1,1,1]: the number of each step along a lane."""
    return np.arange(length, dtype=np.int32)[:, None, None, None]


def windows(
    codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, *, radius: int, num_codes: int
) -> jax.Array:
    """Return u8[E,N,V,V], V = 2 radius + 1: the part of ``codes u8[E,H,W]`` around each agent, turned counter-clockwise.

    Cells off the map are 0, and all codes are below ``num_codes``. If ``quarter_turns i32[E,N]`` is the heading, the cell ahead
    of the agent at ``position i32[E,N,2]`` is above the centre.
    """
    del num_codes
    return cut_windows(jnp.pad(codes, ((0, 0), (radius, radius), (radius, radius))), position, quarter_turns, radius)


def cut_windows(framed: jax.Array, position: jax.Array, quarter_turns: jax.Array, radius: int) -> jax.Array:
    """Cut `windows` from maps that already have a frame of ``radius`` cells, so that an agent's cell is its window's corner."""
    side = 2 * radius + 1

    def window(framed, cell, turns):
        upright = jax.lax.dynamic_slice(framed, (cell[0], cell[1]), (side, side))
        across = jnp.where(turns % 2 == 0, upright, jnp.rot90(upright))
        return jnp.where(turns >= 2, jnp.rot90(across, 2), across)

    return jax.vmap(jax.vmap(window, in_axes=(None, 0, 0)))(framed, position, quarter_turns)


def colour(codes: jax.Array, *, palette: np.ndarray) -> jax.Array:
    """Return u8[...,3]: the ``palette u8[C,3]`` at ``codes u8[...]``, all below C."""
    return jnp.asarray(palette)[codes]
