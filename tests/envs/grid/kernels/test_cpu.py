"""Kernels for a CPU equal the reference, bit for bit."""

import numpy as np

from influence_jax.envs.grid.kernels import cpu
from tests.envs.grid.kernels.cases import assert_as_reference, each


@each(cpu.__all__)
def test_it_is_the_reference(name, args, static):
    assert_as_reference(cpu, name, args, static)


def test_clear_runs_count_free_cells():
    walls = np.array([list(row) for row in ("....@..", ".......")]) == "@"
    runs = cpu.clear_runs(walls, 5)
    np.testing.assert_array_equal(runs[1, 1, 1:-1], [4, 3, 2, 1, 0, 2, 1])
    np.testing.assert_array_equal(runs[3, 1, 1:-1], [1, 2, 3, 4, 0, 1, 2])
    np.testing.assert_array_equal(runs[3, 2, 1:-1], [1, 2, 3, 4, 5, 5, 5])
    np.testing.assert_array_equal(runs[0, 2, 1:-1], [2, 2, 2, 2, 1, 2, 2])
    np.testing.assert_array_equal(runs[2, 2, 1:-1], 1)
    assert not runs[:, 0].any() and not runs[:, -1].any() and not runs[:, :, 0].any() and not runs[:, :, -1].any()
