"""Maps that are looked up and marked at few cells: each way to do it against one cell after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs.grid import masks

SHAPES = [(3, 9, 14), (1, 1, 1), (4, 40, 30)]
PUT = [masks.put, masks.put_one_by_one, masks.put_by_comparing]
PUT_HIGHEST = [masks.put_highest, masks.put_highest_one_by_one, masks.put_highest_by_comparing]


def cells_and_values(shape, count=7):
    """Cells i32[K,E], some of them nowhere, and values u8[K,E]."""
    games, height, width = shape
    rng = np.random.default_rng(0)
    cell = rng.integers(0, height * width, (count, games)).astype(np.int32)
    cell[2], cell[4, 0] = -1, -1
    return cell, rng.integers(1, 100, (count, games)).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("put", PUT)
def test_put(put, shape):
    cell, value = cells_and_values(shape)
    value = np.full_like(value, 7) + (cell % 5).astype(np.uint8)  # equal cells, equal values
    maps = np.random.default_rng(1).integers(0, 9, shape).astype(np.uint8)
    expected = maps.copy()
    for k, game in np.argwhere(cell >= 0):
        expected[game].flat[cell[k, game]] = value[k, game]
    np.testing.assert_array_equal(jax.jit(put)(maps, jnp.asarray(cell), jnp.asarray(value)), expected, strict=True)


def test_put_one_value_for_all():
    maps = masks.put(jnp.ones((2, 3, 4), bool), jnp.array([[0, 5], [11, -1]]), False)
    assert [list(np.flatnonzero(~game)) for game in np.asarray(maps)] == [[0, 11], [5]]
    maps = masks.put(jnp.zeros((2, 3, 4), jnp.uint8), jnp.array([[0, 5], [11, -1]]), np.array([[3], [4]]))
    assert [
        dict(zip(np.flatnonzero(game), game[game > 0], strict=True)) for game in np.asarray(maps).reshape(2, -1)
    ] == [
        {0: 3, 11: 4},
        {5: 3},
    ]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("put_highest", PUT_HIGHEST)
def test_put_highest(put_highest, shape):
    cell, value = cells_and_values(shape, 40)
    cell = np.maximum(cell, 0)
    maps = np.random.default_rng(1).integers(0, 99, shape).astype(np.uint8)
    expected = maps.copy()
    for k, game in np.ndindex(cell.shape):
        expected[game].flat[cell[k, game]] = max(value[k, game], expected[game].flat[cell[k, game]])
    found = jax.jit(put_highest)(maps, jnp.asarray(cell), jnp.asarray(value))
    np.testing.assert_array_equal(found, expected, strict=True)


def test_look_up():
    maps, (cell, _) = np.random.default_rng(2).normal(size=(3, 9, 14)), cells_and_values((3, 9, 14))
    found = masks.look_up(jnp.asarray(maps), jnp.asarray(cell))
    for k, game in np.argwhere(cell >= 0):
        assert found[k, game] == np.float32(maps[game].flat[cell[k, game]])
