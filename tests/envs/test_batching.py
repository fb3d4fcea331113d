"""Phases written for a batch, called for one game and vmapped."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs.batching import batched, leading, replaced_where, trailing


@dataclasses.dataclass(frozen=True)
class Weighing:
    """A phase with a map, numbers of agents, and a parameter."""

    scale: float

    @batched
    def weigh(self, maps, numbers, params):
        total = maps.sum(axis=(1, 2)) * params["factor"] * self.scale
        return {"weighed": leading(trailing(numbers) * total), "total": total}


MAPS = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
NUMBERS = np.random.default_rng(1).normal(size=(2, 3, 6)).astype(np.float32)


@pytest.mark.parametrize("factors", [np.float32(2), np.arange(6, dtype=np.float32).reshape(2, 3)])
def test_a_phase_for_one_game_and_for_batches_of_batches(factors):
    """``factors`` are vmapped as well, or not."""
    phase, axis = Weighing(0.5).weigh, 0 if factors.ndim else None
    outer = jax.vmap(jax.vmap(phase, (0, 0, axis)), (0, 0, axis))(MAPS, NUMBERS, {"factor": factors})
    assert outer["weighed"].shape == (2, 3, 6)
    for s in range(2):
        for e in range(3):
            factor = np.broadcast_to(factors, (2, 3))[s, e]
            total = MAPS[s, e].sum() * factor * 0.5
            np.testing.assert_allclose(outer["weighed"][s, e], NUMBERS[s, e] * total, rtol=1e-5)
            one = phase(MAPS[s, e], NUMBERS[s, e], {"factor": factor})
            np.testing.assert_allclose(one["total"], total, rtol=1e-5)


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
