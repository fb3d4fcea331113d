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
        low: i32[...,2], the first row and column of each box.
        high: i32[...,2], the last row and column of each box.
        bit: u32[...], the bit of each box, or 0 for a box that is to be left out.
        shape: (H, W).
    """
    boxes = tuple(range(1, bit.ndim + 1))

    def along(axis):
        line = jnp.arange(shape[axis]).reshape(-1, *(1,) * bit.ndim)
        inside = (line >= low[..., axis]) & (line <= high[..., axis])
        return jnp.sum(jnp.where(inside, bit, 0), axis=boxes, dtype=jnp.uint32)

    return along(0)[:, None] & along(1)


def mark(cells: jax.Array, present: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Return bool[H,W]: True at each of ``cells i32[K,...,2]`` that is ``present bool[K,...]``."""
    marked = jnp.zeros(shape, bool)
    per_word = WORD // present[0].size
    for first in range(0, len(present), per_word):
        some, shown = cells[first : first + per_word], present[first : first + per_word]
        bit = jnp.uint32(1) << jnp.arange(shown.size, dtype=jnp.uint32).reshape(shown.shape)
        marked |= covering_bits(some, some, jnp.where(shown, bit, 0), shape) > 0
    return marked
