"""The matrix product used by every layer."""

import jax
import jax.numpy as jnp


def _matmul(x: jax.Array, kernel: jax.Array, dtype: str) -> jax.Array:
    """Multiply ``x f32[..., K]`` by ``kernel f32[K, M]``, with factors rounded to ``dtype`` and sums in float32.

    The products of the gradient, which take as much of the time, are computed in the same way.
    """
    return jnp.matmul(x.astype(dtype), kernel.astype(dtype), preferred_element_type=jnp.float32)


matmul = jax.custom_vjp(_matmul, nondiff_argnums=(2,))


def _forward(x, kernel, dtype):
    return matmul(x, kernel, dtype), (x, kernel)


def _backward(dtype, factors, d):
    x, kernel = factors
    rows, d_rows = (y.reshape(-1, y.shape[-1]) for y in (x, d))
    # Transposed, because Eigen is faster at this product (benchmarks/NOTES.md).
    d_kernel = jax.lax.dot_general(
        d_rows.astype(dtype), rows.astype(dtype), (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32
    ).T
    return matmul(d, kernel.T, dtype), d_kernel


matmul.defvjp(_forward, _backward)


def rounded(kernel: jax.Array, dtype: str) -> jax.Array:
    """Round a kernel as `matmul` does, for products that are written as a choice of rows."""
    if dtype == kernel.dtype:
        return kernel  # XLA would keep the operation although it changes nothing
    digits = jnp.finfo(dtype)
    return jax.lax.reduce_precision(kernel, digits.nexp, digits.nmant)
