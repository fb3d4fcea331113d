"""Every kernel in plain JAX against NumPy, one cell at a time."""

import numpy as np

from influence_jax.envs.grid.kernels import reference
from tests.envs.grid.kernels import slow
from tests.envs.grid.kernels.cases import call, each


@each(reference.__all__)
def test_plain_jax_is_numpy(name, args, static):
    expected = getattr(slow, name)(*args, **static)
    np.testing.assert_array_equal(call(reference, name, args, static), expected, strict=True)
