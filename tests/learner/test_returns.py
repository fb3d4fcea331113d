"""Returns against hand values and slow loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.learner.returns import advantages, lambda_returns


def slow_advantages(reward, discount, value, bootstrap, truncated, gamma, lam):
    """Generalised advantage estimation from its definition, as a sum over temporal-difference errors."""
    steps = len(reward)
    following = [*value[1:], bootstrap]
    errors = [reward[t] + gamma * discount[t] * following[t] - value[t] for t in range(steps)]
    result = []
    for start in range(steps):
        total, factor = 0.0, 1.0
        for t in range(start, steps):
            total += factor * errors[t]
            factor *= 0.0 if truncated[t] else gamma * discount[t] * lam
        result.append(total)
    return np.array(result)


@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
def test_advantages_are_generalised_advantage_estimation(lam):
    rng = np.random.default_rng(0)
    reward, value = rng.normal(size=(2, 9))
    discount = np.array([1, 1, 0, 1, 1, 1, 1, 1, 1.0])
    truncated = np.array([0, 0, 0, 0, 0, 1, 0, 0, 0], bool)
    advantage, target = advantages(
        *(jnp.asarray(x, jnp.float32) for x in (reward, discount, value)), 0.7, jnp.asarray(truncated), 0.9, lam
    )
    expected = slow_advantages(reward, discount, value, 0.7, truncated, 0.9, lam)
    np.testing.assert_allclose(advantage, expected, atol=1e-5)
    np.testing.assert_allclose(target, expected + value, atol=1e-5)


def test_return_by_hand():
    """Rewards 1, 2, 4; the game ends with the second; the third is followed by a state worth 8."""
    args = (jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, 0.0, 0.5]), jnp.array([9.0, 9.0, 8.0]), jnp.ones(3))
    np.testing.assert_allclose(lambda_returns(*args), [2.0, 2.0, 8.0])


def test_reaching_the_horizon_bootstraps_from_the_final_state():
    """Step 1 reaches the horizon: its return uses the value 10 of the state after it, and nothing later."""
    value, reward = jnp.array([0.0, 0.0, 10.0, 3.0]), jnp.array([1.0, 1.0, 100.0, 100.0])
    truncated = jnp.array([False, True, False, False])
    _, target = advantages(reward, jnp.ones(4), value, 0.0, truncated, 0.9, 1.0)
    np.testing.assert_allclose(target[:2], [1 + 0.9 * (1 + 0.9 * 10), 1 + 0.9 * 10], rtol=1e-6)
