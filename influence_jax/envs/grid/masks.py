"""Marking cells of a map without scatters.

A box (an interval of rows and one of columns) covers the cells where the two meet. When every box owns one bit of a
word, a cell is covered by the boxes in ``row_bits[row] & column_bits[column]``: one operation per cell, whatever the
number of boxes, and one that compilers turn into vector instructions.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.batching import leading
from influence_jax.kernel import kernel

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


def crossing(rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Return u[E,H,W]: the bits of the boxes that cover each cell, from the lines of `cover`."""
    return rows[:, :, None] & columns[:, None]


def by_cell(function: Callable) -> Callable:
    """Return the elementwise ``function`` for whole maps, [E,H,W] each (the first at least) or [H,W] for all games.

    What is returned also takes ``cells``, rows and columns i32[K,E], and passes them on as K further maps bool[E,H,W], each
    True at one cell, or nowhere if the row is negative. The function should select rather than combine truth values: ``a &
    ~b`` of bool becomes no vector instructions, ``where(b, False, a)`` does.
    """

    def call(first: jax.Array, *others: jax.Array, cells: tuple[jax.Array, jax.Array] | None = None) -> jax.Array:
        height, width = first.shape[-2:]
        number = np.arange(height * width, dtype=np.min_scalar_type(height * width))  # few bytes, many to a vector

        @kernel
        def loop(maps, places):
            return function(*maps, *(place[:, None] == number for place in places))

        flat = [x.reshape(*x.shape[:-2], -1) for x in (first, *others)]
        places = []
        if cells is not None:
            row, column = cells
            places = list(jnp.where(row < 0, height * width, row * width + column).astype(number.dtype))
        return loop(flat, places).reshape(first.shape)

    return call


def pick(index: jax.Array, values: Sequence[int]) -> jax.Array:
    """Return i32 like ``index``: ``values[index]``, without loads from memory; 0 outside."""
    chosen = jnp.zeros_like(index)
    for number, value in enumerate(values):
        chosen = jnp.where(index == number, value, chosen)
    return chosen
