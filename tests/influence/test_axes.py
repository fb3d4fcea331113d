"""The order of agents, and who the others are."""

import jax.numpy as jnp
import numpy as np

from influence_jax.influence import axes


def test_order_of_the_others():
    x = jnp.array([[10, 11, 12]])
    np.testing.assert_array_equal(axes.others(x)[0], [[11, 12], [10, 12], [10, 11]])
    np.testing.assert_array_equal(axes.own_first(x)[0], [[10, 11, 12], [11, 10, 12], [12, 10, 11]])
    pairs = jnp.arange(9).reshape(1, 3, 3)
    np.testing.assert_array_equal(axes.drop_diagonal(pairs)[0], [[1, 2], [3, 5], [6, 7]])
    expected = np.where(np.eye(3), 0, np.arange(9).reshape(3, 3))
    np.testing.assert_array_equal(axes.insert_diagonal(axes.drop_diagonal(pairs))[0], expected)
    np.testing.assert_array_equal(axes.insert_diagonal(jnp.ones((1, 1, 0))), [[[0]]])


def test_axes_move_and_come_back():
    x = jnp.arange(2 * 3 * 4).reshape(2, 3, 4)
    np.testing.assert_array_equal(axes.agents_first({"x": x})["x"], np.transpose(x, (1, 0, 2)))
    moved = axes.small_axes_first(x, 2)
    np.testing.assert_array_equal(moved, np.transpose(x, (2, 1, 0)))
    np.testing.assert_array_equal(axes.small_axes_last(moved, 2), x)
