"""Kernels for a GPU, run on this machine, equal the reference, bit for bit."""

from influence_jax.envs.grid.kernels import gpu
from tests.envs.grid.kernels.cases import assert_as_reference, each


@each(gpu.__all__)
def test_it_is_the_reference(name, args, static):
    assert_as_reference(gpu, name, args, static)
