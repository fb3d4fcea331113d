"""Random words, and the numbers that the rules ask for made of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def words(key: jax.Array, count: int, stream: int = 0) -> jax.Array:
    """Return u32[count], random words that follow from ``key``; different streams of one key are independent.

    JAX's generators hash several keys one after another in small loops, which would take as long as a whole step of a game.
    This one is a single expression: of the key's two words and a counter, the hash pcg3d of Jarzynski and Olano (2020, "Hash
    Functions for GPU Rendering"), its halves folded once more at the end, without which the lowest bits are related.
    """
    low, high = functools.reduce(jnp.bitwise_xor, jax.random.key_data(key).reshape(-1, 2))  # a key may have four words
    counter = np.arange(-(-count // 3), dtype=np.uint32) + np.uint32(stream << 16)
    x, y, z = (word * np.uint32(1664525) + np.uint32(1013904223) for word in (counter, low, high))
    for _ in range(2):
        x = x + y * z
        y = y + z * x
        z = z + x * y
        x, y, z = (word ^ (word >> 16) for word in (x, y, z))
    return jnp.concatenate([x, y, z])[:count]


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
    row = jnp.sum(before_row + in_row <= n)
    line = mask.at[row].get(mode="clip")
    rest = n - before_row.at[row].get(mode="clip")
    chosen_row = jnp.arange(len(in_row)) == row
    return chosen_row[:, None] & line & (_sums_before(line.astype(jnp.float32)) == rest)


def _sums_before(counts: jax.Array) -> jax.Array:
    """Return f32[K]: the sum of all ``counts f32[K]`` before each, exact below 2^24; many at once are one matrix product."""
    return jnp.matmul(counts, np.tri(len(counts), k=-1, dtype=np.float32).T, precision=jax.lax.Precision.HIGHEST)
