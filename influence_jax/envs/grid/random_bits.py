"""Random words, and the random numbers that games derive from them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.fusion import fusion_boundary


def words(key: jax.Array, count: int, stream: int = 0) -> jax.Array:
    """Return u32[count], random words derived from ``key``; different streams of one key are independent.

    JAX's generators would hash several keys one after another in small loops, and take as long as a whole step of a game. This
    one is a single expression: the hash pcg3d of Jarzynski and Olano (2020, "Hash Functions for GPU Rendering") of the key's two
    words and a counter. Its halves are folded once more at the end, without which the lowest bits are correlated.
    """
    halves = jax.random.key_data(key).reshape(-1, 2)  # a key may have four words, of which two may repeat the others
    low, high = functools.reduce(lambda first, second: first + np.uint32(2) * second, halves)
    counter = np.arange(-(-count // 3), dtype=np.uint32) + np.uint32(stream << 16)
    x, y, z = (word * np.uint32(1664525) + np.uint32(1013904223) for word in (counter, low, high))
    for _ in range(2):
        x = x + y * z
        y = y + z * x
        z = z + x * y
        x, y, z = (word ^ (word >> 16) for word in (x, y, z))
    return jnp.concatenate([x, y, z])[:count]


@fusion_boundary
def ranks(words: jax.Array) -> jax.Array:
    """Return i32[K,...], a uniformly random permutation: the rank of each of ``words u32[K,...]``, ties by index."""
    index = np.arange(len(words)).reshape(-1, *(1,) * (words.ndim - 1))
    before = (((word < words) | ((word == words) & (at < index))).astype(jnp.int32) for at, word in enumerate(words))
    return functools.reduce(jnp.add, before)


def uniform(words: jax.Array) -> jax.Array:
    """Return f32, uniform on [0, 1) in steps of 2^-24, from ``words u32``."""
    return (words >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)


def quarters(words: jax.Array) -> jax.Array:
    """Return i32, uniform over 0..3, from ``words u32``."""
    return (words >> 30).astype(jnp.int32)
