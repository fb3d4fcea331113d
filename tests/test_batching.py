"""Functions written for a batch, called for one game and vmapped."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.batching import batched, leading, replaced_where, trailing


@batched
def weigh(maps, numbers, params, *, scale, mask):
    """A function of a map, values per agent, a parameter, and a static argument."""
    total = jnp.where(mask, maps, 0).sum(axis=(1, 2)) * params["factor"] * scale
    return {"weighed": leading(trailing(numbers) * total), "total": total}


MASK = np.arange(20).reshape(4, 5) % 3 > 0
MAPS = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
NUMBERS = np.random.default_rng(1).normal(size=(2, 3, 6)).astype(np.float32)


@pytest.mark.parametrize("factors", [np.float32(2), np.arange(6, dtype=np.float32).reshape(2, 3)])
def test_a_kernel_for_one_game_and_for_batches_of_batches(factors):
    """``factors`` are vmapped as well, or not."""
    one, axis = functools.partial(weigh, scale=0.5, mask=MASK), 0 if factors.ndim else None
    outer = jax.vmap(jax.vmap(one, (0, 0, axis)), (0, 0, axis))(MAPS, NUMBERS, {"factor": factors})
    assert outer["weighed"].shape == (2, 3, 6)
    for s in range(2):
        for e in range(3):
            factor = np.broadcast_to(factors, (2, 3))[s, e]
            total = MAPS[s, e][MASK].sum() * factor * 0.5
            np.testing.assert_allclose(outer["weighed"][s, e], NUMBERS[s, e] * total, rtol=1e-5)
            np.testing.assert_allclose(one(MAPS[s, e], NUMBERS[s, e], {"factor": factor})["total"], total, rtol=1e-5)


def test_another_mask_is_another_function():
    totals = [weigh(MAPS[0, 0], NUMBERS[0, 0], {"factor": 1.0}, scale=1, mask=mask)["total"] for mask in (MASK, ~MASK)]
    np.testing.assert_allclose(totals, [MAPS[0, 0][mask].sum() for mask in (MASK, ~MASK)], rtol=1e-5)


def test_replacing_some_of_a_batch_of_batches_and_making_nothing_for_none():
    made = []

    def make(key, shift):
        jax.debug.callback(lambda: made.append(1))
        return {"x": jnp.full(3, key + shift)}

    @jax.jit
    def replaced(where, keys, old):
        def one(where, key, old):
            return replaced_where(where, make, (key, jnp.int32(100)), old)

        return jax.vmap(jax.vmap(one))(where, keys, old)["x"]

    keys, old = jnp.arange(6).reshape(2, 3), {"x": -jnp.ones((2, 3, 3), jnp.int32)}
    np.testing.assert_array_equal(replaced(jnp.zeros((2, 3), bool), keys, old), old["x"])
    jax.effects_barrier()
    assert not made
    where = jnp.array([[False, True, False], [False, False, True]])
    expected = np.where(where[..., None], 100 + np.arange(6).reshape(2, 3, 1), -1)
    np.testing.assert_array_equal(replaced(where, keys, old), np.broadcast_to(expected, (2, 3, 3)))
    jax.effects_barrier()
    assert made
