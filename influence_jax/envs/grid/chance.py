"""Random words turned into the numbers that the rules ask for."""

import jax
import jax.numpy as jnp
import numpy as np


def ranks(words: jax.Array) -> jax.Array:
    """Return i32[K], a uniform permutation: the place of each of ``words u32[K]`` in ascending order, ties by index."""
    index = jnp.arange(words.shape[0])
    earlier = (words[None, :] < words[:, None]) | (
        (words[None, :] == words[:, None]) & (index[None, :] < index[:, None])
    )
    return jnp.sum(earlier, axis=1, dtype=jnp.int32)


def uniform(words: jax.Array) -> jax.Array:
    """Return f32, uniform on [0, 1) in steps of 2^-24, from ``words u32``."""
    return (words >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)


def quarters(words: jax.Array) -> jax.Array:
    """Return i32, uniform over 0..3, from ``words u32``."""
    return (words >> 30).astype(jnp.int32)


def nth_true(mask: jax.Array, n: jax.Array) -> jax.Array:
    """Return bool[H,W]: only the ``n``-th True cell of ``mask bool[H,W]`` in row-major order, counted from 0."""
    n = n.astype(jnp.float32)
    in_row = jnp.sum(mask, axis=1, dtype=jnp.int32).astype(jnp.float32)
    before_row = _sums_before(in_row)
    chosen_row = (before_row <= n) & (n < before_row + in_row)
    line = jnp.any(mask & chosen_row[:, None], axis=0)
    rest = n - jnp.sum(jnp.where(chosen_row, before_row, 0))
    return chosen_row[:, None] & line & (_sums_before(line.astype(jnp.float32)) == rest)


def _sums_before(counts: jax.Array) -> jax.Array:
    """Return f32[K]: the sum of all ``counts f32[K]`` before each, exact below 2^24; many at once are one matrix product."""
    return jnp.matmul(counts, np.tri(len(counts), k=-1, dtype=np.float32).T, precision=jax.lax.Precision.HIGHEST)
