"""Forms for a TPU, played on this machine: as the reference, to the bit."""

from influence_jax.envs.grid.kernels import tpu
from tests.envs.grid.kernels.cases import assert_as_reference, each


@each(tpu.__all__)
def test_a_form_is_the_reference(name, args, static):
    assert_as_reference(tpu, name, args, static)
