"""Kernels for a CPU: few passes over memory, all vectorised, kept apart by fusion boundaries.

Without boundaries, XLA fuses a loop into every loop that reads its result, and recomputes it for each of their cells.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid.kernels import reference
from influence_jax.envs.grid.kernels.reference import Rays
from influence_jax.fusion import fusion_boundary

__all__ = ["clear_cells", "colour", "highest_beam", "values_at_sites", "windows"]


def values_at_sites(values: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """See `reference`; writes one value after another, in less than a nanosecond each."""

    @fusion_boundary
    def nothing():
        return jnp.zeros((len(values), sites.size), values.dtype)

    @fusion_boundary
    def place(nothing, values):
        return nothing.at[:, np.flatnonzero(sites)].set(values, unique_indices=True, indices_are_sorted=True)

    return place(nothing(), values).reshape(-1, *sites.shape)


def clear_cells(rays: Rays, *, walls: np.ndarray, length: int) -> jax.Array:
    """See `reference`; looks up a table once instead of the map at every cell."""
    runs = clear_runs(walls, length)
    place = (rays.heading * runs.shape[1] + rays.row + 1) * runs.shape[2] + rays.column + 1
    return jnp.asarray(runs.reshape(-1))[place]


def clear_runs(walls: np.ndarray, length: int) -> np.ndarray:
    """Return i32[4,H+2,W+2]: by heading and cell (shifted by one), how many free cells follow in a row, at most ``length``."""

    def upwards(free):
        runs = np.zeros(free.shape, np.int32)
        for row in range(1, len(free)):
            runs[row] = np.where(free[row], np.minimum(runs[row - 1] + 1, length), 0)
        return runs

    free = np.pad(~walls, 1)
    return np.stack([np.rot90(upwards(np.rot90(free, heading)), -heading) for heading in range(4)])


def highest_beam(
    rays: Rays, reach: jax.Array, cell: jax.Array, beam: jax.Array, *, shape: tuple[int, int], dtype: np.dtype
) -> jax.Array:
    """See `reference`; lanes that stop early write zeros inside the map instead of nothing outside it, which branches less."""
    del rays

    @fusion_boundary
    def covered(reach, cell, beam):
        there = jnp.where(reference.steps(len(cell)) < reach, beam, 0).astype(dtype)
        cell = jnp.clip(cell, 0, math.prod(shape) - 1)
        return cell.reshape(-1, cell.shape[-1]), there.reshape(-1, cell.shape[-1])

    @fusion_boundary
    def nothing():
        return jnp.zeros((cell.shape[-1], *shape), dtype)

    return _scatter_max(nothing(), *covered(reach, cell, beam))


@fusion_boundary
def _scatter_max(maps: jax.Array, cell: jax.Array, value: jax.Array) -> jax.Array:
    """Return ``maps [E,H,W]`` with the maximum of the map and ``value [K,E]`` at ``cell i32[K,E]``."""
    there = maps.reshape(-1).at[reference.in_batch(maps.shape, cell)]
    return there.max(value, mode="promise_in_bounds").reshape(maps.shape)


def windows(
    codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, *, radius: int, num_codes: int
) -> jax.Array:
    """See `reference`."""
    del num_codes

    @fusion_boundary
    def nothing():
        return jnp.zeros((len(codes), *(size + 2 * radius for size in codes.shape[1:])), jnp.uint8)

    @fusion_boundary
    def cut(frame, codes, position, quarter_turns):
        # Write into an existing frame: jnp.pad tests every cell in its loop, which XLA does not vectorise.
        framed = jax.lax.dynamic_update_slice(frame, codes, (0, radius, radius))
        return reference.cut_windows(framed, position, quarter_turns, radius)

    return cut(nothing(), codes, position, quarter_turns)


def colour(codes: jax.Array, *, palette: np.ndarray) -> jax.Array:
    """See `reference`; selects colours as words of four bytes, then packs four cells into three words.

    Looking up single bytes would take one load and one store per byte, and three times as long.
    """

    @fusion_boundary
    def choose(codes):
        return colour_words(codes, palette)

    @fusion_boundary
    def shift_together(cells):
        cells = cells.reshape(-1, 4)
        return cells[:, :3] >> np.array([0, 8, 16], np.uint32) | cells[:, 1:] << np.array([24, 16, 8], np.uint32)

    @fusion_boundary
    def split(words):
        return jax.lax.bitcast_convert_type(words.reshape(-1), jnp.uint8)

    flat = jnp.pad(codes.reshape(-1), (0, -codes.size % 4))
    pixels = split(shift_together(choose(flat))).reshape(-1, 3)
    return pixels[: codes.size].reshape(*codes.shape, 3)


def colour_words(codes: jax.Array, palette: np.ndarray) -> jax.Array:
    """Return u32 like ``codes``: red, green and blue from the lowest byte up, selected bit by bit of the code, without loads."""
    red, green, blue = palette.T.astype(np.uint32)
    words, bit = list(red | green << 8 | blue << 16), 0
    while len(words) > 1:
        odd = (codes >> bit & 1) > 0
        pairs = itertools.zip_longest(words[::2], words[1::2])
        words = [even if other is None else jnp.where(odd, other, even) for even, other in pairs]
        bit += 1
    return words[0]
