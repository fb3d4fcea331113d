"""Kernels for a TPU, run on this machine, equal the reference, bit for bit."""

from influence_jax.envs.grid.kernels import tpu
from tests.envs.grid.kernels.cases import assert_as_reference, each


@each(tpu.__all__)
def test_it_is_the_reference(name, args, static):
    assert_as_reference(tpu, name, args, static)
