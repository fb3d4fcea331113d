"""Random words turned into the numbers that the rules ask for."""

import jax
import jax.numpy as jnp


def ranks(words: jax.Array) -> jax.Array:
    """Return i32[K], a uniform permutation: the place of each of ``words u32[K]`` in ascending order (ties by index)."""
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
