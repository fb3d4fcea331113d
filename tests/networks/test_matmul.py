"""The matrix product and its gradients against double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.networks.matmul import matmul

SHAPES = (2, 3, 40), (40, 7), (2, 3, 7)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_product_rounds_its_factors_and_nothing_else(precision):
    x, kernel, d = (
        jax.random.normal(k, s) for k, s in zip(jax.random.split(jax.random.key(0), 3), SHAPES, strict=True)
    )
    outcome, pull_back = jax.vjp(lambda x, kernel: matmul(x, kernel, precision), x, kernel)
    rounded = [np.asarray(y.astype(precision), np.float64) for y in (x, kernel, d)]
    expected = rounded[0] @ rounded[1], rounded[2] @ rounded[1].T, np.einsum("abk,abm->km", rounded[0], rounded[2])
    for found, exact in zip((outcome, *pull_back(d)), expected, strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, exact, atol=2e-5)
