"""Social metrics against calculations by hand, and against those computed inside the program."""

import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import metrics
from influence_jax.analysis.social import (
    efficiency,
    equality,
    equality_by_luck,
    gini,
    peace,
    sustainability,
    weighted_return,
)

RETURNS = np.array([[5.0, 5, 5, 5, 5], [10, 0, 0, 0, 0], [1, 2, 3, 0, 0], [-5, 1, 1, 1, 1], [-5, 5, 5, 5, 5]])


def test_equality_by_hand():
    """1, 2, 3, 0, 0: twice the differences of pairs, 2 (1+2+1+1+1+2+2+3+3) = 32, over 2 * 5 * 6."""
    np.testing.assert_allclose(gini(RETURNS)[:3], [0, 0.8, 32 / 60])
    assert np.isnan(gini(RETURNS)[3])
    np.testing.assert_allclose(equality(RETURNS), [1, 0.2, 28 / 60, 0, 1 - 80 / 150])
    np.testing.assert_allclose(weighted_return(RETURNS)[:3], [25, 2, 6 * 28 / 60])


def test_equality_is_that_of_the_program():
    np.testing.assert_allclose(equality(RETURNS), metrics.equality(jnp.asarray(RETURNS, jnp.float32)), atol=1e-6)


def test_luck_alone_is_not_equal():
    """Two agents and one apple are as unequal as possible; two apples go to the same agent in half of the draws."""
    assert set(equality_by_luck(np.array([1, 0]))) == {0.5}
    draws = equality_by_luck(np.array([[2, 0], [1, 0]]), draws=4000)
    assert draws.shape == (4000, 2) and draws[:, 0].mean() == pytest.approx(0.75, abs=0.02)


def test_efficiency_sustainability_and_peace():
    rewards = np.array([[1.0, 0], [0, 0], [0, 3], [1, 0]])
    assert efficiency(rewards) == 5 / 4
    apples = np.array([[1, 0], [0, 0], [0, 1], [1, 0]])
    assert sustainability(apples) == (1.5 + 2) / 2  # agent 0 at 0 and 3, agent 1 at 2
    assert sustainability(np.array([[1, 0], [1, 0]])) == 0.5  # who eats nothing is left out
    assert np.isnan(sustainability(np.zeros((3, 2))))
    assert sustainability(np.ones((2, 11, 3))).tolist() == [5, 5]
    assert peace(np.array([[0, 1], [0, 0], [2, 1]])) == (1 + 2 + 0) / 3


def test_what_is_not_known_is_not_0():
    unknown = np.array([[3.0, np.nan], [2, 2]])
    np.testing.assert_array_equal(equality(unknown), [np.nan, 1])
    assert np.isnan(peace(unknown)) and np.isnan(sustainability(unknown)) and np.isnan(weighted_return(unknown)[0])
