"""Fusion boundaries keep loops apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.fusion import fusion_boundary

pytestmark = pytest.mark.compile_fully


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only the compiler for a CPU is told so")
def test_a_kernel_is_not_merged_with_what_reads_it():
    def squares(x):
        return {"a": x * x, "b": x + 1}

    def read(function):
        compiled = jax.jit(lambda x: sum(jax.tree.leaves(function(x)))).lower(jnp.arange(8.0)).compile()
        return compiled.as_text().count(" call("), compiled(jnp.arange(8.0))

    (apart, values), (merged, expected) = read(fusion_boundary(squares)), read(squares)
    assert (apart, merged) == (1, 0)
    np.testing.assert_array_equal(values, expected)
