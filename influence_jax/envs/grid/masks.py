"""Marking cells of a map without scatters.

A box (an interval of rows and one of columns) covers the cells where the two meet. When every box owns one bit of a
word, a cell is covered by the boxes in ``row_bits[row] & column_bits[column]``: one operation per cell, whatever the
number of boxes, and one that compilers turn into vector instructions.
"""

import jax
import jax.numpy as jnp

WORD = 32  # bits, hence boxes at a time


def covering_bits(low: jax.Array, high: jax.Array, bit: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Return u32[H,W]: for each cell the bits of the boxes that cover it.

    Args:
        low: i32[K,2], the first row and column of each box.
        high: i32[K,2], the last row and column of each box.
        bit: u32[K], the bit of each box, or 0 for a box that is to be left out.
        shape: (H, W).
    """

    def along(axis):
        line = jnp.arange(shape[axis])[:, None]
        inside = (line >= low[:, axis]) & (line <= high[:, axis])
        return jnp.sum(jnp.where(inside, bit, 0), axis=1, dtype=jnp.uint32)

    return along(0)[:, None] & along(1)


def mark(cells: jax.Array, present: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Return bool[H,W]: True at each of ``cells i32[K,2]`` that is ``present bool[K]``."""
    marked = jnp.zeros(shape, bool)
    for first in range(0, len(cells), WORD):
        some = cells[first : first + WORD]
        bit = jnp.where(present[first : first + WORD], jnp.uint32(1) << jnp.arange(len(some), dtype=jnp.uint32), 0)
        marked |= covering_bits(some, some, bit, shape) > 0
    return marked
