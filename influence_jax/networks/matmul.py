"""The matrix product of every layer."""

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def matmul(x: jax.Array, kernel: jax.Array, dtype: str) -> jax.Array:
    """Multiply ``x f32[..., K]`` by ``kernel f32[K, M]``: the factors are rounded to ``dtype``, the sums are float32.

    So they are in the gradient, whose products take as much of the time.
    """
    return jnp.matmul(x.astype(dtype), kernel.astype(dtype), preferred_element_type=jnp.float32)


def _forward(x, kernel, dtype):
    return matmul(x, kernel, dtype), (x, kernel)


def _backward(dtype, factors, d):
    x, kernel = factors
    rows, d_rows = (y.reshape(-1, y.shape[-1]) for y in (x, d))
    # Transposed, since Eigen is faster at that one (benchmarks/NOTES.md).
    d_kernel = jax.lax.dot_general(
        d_rows.astype(dtype), rows.astype(dtype), (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32
    ).T
    return matmul(d, kernel.T, dtype), d_kernel


matmul.defvjp(_forward, _backward)
