"""Returns and advantages of one stream of rewards, time first. Callers vmap."""

import chex
import jax
import jax.numpy as jnp


def lambda_returns(reward: jax.Array, discount: jax.Array, next_value: jax.Array, lambda_: jax.Array) -> jax.Array:
    """Return ``G_t = r_t + d_t ((1 - l_t) v_{t+1} + l_t G_{t+1})``, with ``G_T = v_T``.

    Args:
        reward: ``f32[T]``, of the step taken at t.
        discount: ``f32[T]``, gamma, or 0 if the step taken at t ended the game.
        next_value: ``f32[T]``, value of the state after step t (the last entry bootstraps).
        lambda_: ``f32[T]``, weight of ``G_{t+1}``; 0 if step t reached the horizon, so that the return bootstraps from the
            value of the episode's final state.
    """
    chex.assert_rank([reward, discount, next_value, lambda_], 1)
    chex.assert_equal_shape([reward, discount, next_value, lambda_])

    def step(later, now):
        reward, discount, value, lambda_ = now
        target = reward + discount * ((1.0 - lambda_) * value + lambda_ * later)
        return target, target

    return jax.lax.scan(step, next_value[-1], (reward, discount, next_value, lambda_), reverse=True)[1]


def advantages(reward, discount, value, bootstrap, truncated, gamma, gae_lambda) -> tuple[jax.Array, jax.Array]:
    """Return ``(advantage, target) f32[T]`` of one stream.

    ``value f32[T]`` are the values predicted while acting and ``bootstrap f32[]`` is the value after the rollout. ``discount
    f32[T]`` and ``truncated bool[T]`` are those that the environment reported for the step taken at t.
    """
    next_value = jnp.append(value[1:], bootstrap)
    target = lambda_returns(reward, gamma * discount, next_value, jnp.where(truncated, 0.0, gae_lambda))
    return target - value, target
