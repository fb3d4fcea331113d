"""Marking cells of a map without scatters.

A box (an interval of rows and one of columns) covers the cells where the two meet. When every box owns one bit of a
word, a cell is covered by the boxes in ``row_bits[row] & column_bits[column]``: one operation per cell, whatever the
number of boxes, and one that compilers turn into vector instructions.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid.batching import kernel, leading

WORD = 32  # bits, hence boxes at a time


def cover(
    low: tuple[jax.Array, jax.Array], high: tuple[jax.Array, jax.Array], bit: jax.Array, shape: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """Return u[E,H] and u[E,W]: the bits of the boxes on each row and on each column, in the narrowest type that holds them.

    Args:
        low: rows and columns i32[K,E], the first of each box.
        high: rows and columns i32[K,E], the last of each box.
        bit: u32[K,E], the bit of each box, or 0 for a box that is to be left out; of K boxes more than WORD, all but WORD.
        shape: (H, W).
    """
    lines = (np.arange(size, dtype=np.int32)[:, None, None] for size in shape)
    rows, columns = (leading(_covering(*ends, bit, line)) for *ends, line in zip(low, high, lines, strict=True))
    return rows, columns


@kernel
def _covering(low: jax.Array, high: jax.Array, bit: jax.Array, line: jax.Array) -> jax.Array:
    narrowest = next(
        word for word in (jnp.uint8, jnp.uint16, jnp.uint32) if min(len(bit), WORD) <= jnp.iinfo(word).bits
    )
    bits = jnp.where((line >= low) & (line <= high), bit, 0)
    return jnp.sum(bits, axis=1, dtype=jnp.uint32).astype(narrowest)


def stand(row: jax.Array, column: jax.Array, shape: tuple[int, int]) -> list[tuple[jax.Array, jax.Array]]:
    """Return what `cover` does for the cells ``row, column i32[K,E]``, WORD of them at a time: cell k has bit k % WORD."""
    covered = []
    for first in range(0, len(row), WORD):
        cells = row[first : first + WORD], column[first : first + WORD]
        bit = jnp.uint32(1) << jnp.arange(len(cells[0]), dtype=jnp.uint32)[:, None]
        covered.append(cover(cells, cells, bit, shape))
    return covered


def crossing(rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Return u[E,H,W]: the bits of the boxes that cover each cell, from the lines of `cover`."""
    return rows[:, :, None] & columns[:, None]


@kernel
def any_crossing(rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Return bool[E,H,W]: a box covers the cell."""
    return crossing(rows, columns) > 0


def by_cell(function: Callable) -> Callable:
    """Apply an elementwise function to maps [E,H,W], or [H,W] of all games, in one loop over all cells of a game.

    It should select rather than combine truth values: ``a & ~b`` of bool becomes no vector instructions, ``where(b, False,
    a)`` does.
    """

    def call(*maps):
        cells = kernel(function)(*(x.reshape(*x.shape[:-2], -1) for x in maps))
        return cells.reshape(maps[0].shape)

    return call


def pick(index: jax.Array, values: Sequence[int]) -> jax.Array:
    """Return i32 like ``index``: ``values[index]``, without loads from memory; 0 outside."""
    chosen = jnp.zeros_like(index)
    for number, value in enumerate(values):
        chosen = jnp.where(index == number, value, chosen)
    return chosen
