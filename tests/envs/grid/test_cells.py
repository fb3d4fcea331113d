"""Maps that are looked up and marked at few cells: each way to do it against one cell after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs.grid import cells

SHAPES = [(3, 9, 14), (1, 1, 1), (4, 40, 30)]
SCATTER = [cells.scatter, cells.scatter_by_index, cells.scatter_by_comparison]


def cells_and_values(shape, count=7):
    """Cells i32[K,E], some of them nowhere, and values u8[K,E]."""
    games, height, width = shape
    rng = np.random.default_rng(0)
    cell = rng.integers(0, height * width, (count, games)).astype(np.int32)
    cell[2], cell[4, 0] = -1, -1
    return cell, rng.integers(1, 100, (count, games)).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("put", SCATTER)
def test_put(put, shape):
    cell, value = cells_and_values(shape)
    value = np.full_like(value, 7) + (cell % 5).astype(np.uint8)  # equal cells, equal values
    old = np.random.default_rng(1).integers(0, 9, shape).astype(np.uint8)
    expected = old.copy()
    for k, game in np.argwhere(cell >= 0):
        expected[game].flat[cell[k, game]] = value[k, game]
    np.testing.assert_array_equal(jax.jit(put)(old, jnp.asarray(cell), jnp.asarray(value)), expected, strict=True)


def test_put_one_value_for_all():
    marked = cells.scatter(jnp.ones((2, 3, 4), bool), jnp.array([[0, 5], [11, -1]]), False)
    assert [list(np.flatnonzero(~game)) for game in np.asarray(marked)] == [[0, 11], [5]]
    marked = cells.scatter(jnp.zeros((2, 3, 4), jnp.uint8), jnp.array([[0, 5], [11, -1]]), np.array([[3], [4]]))
    assert [
        dict(zip(np.flatnonzero(game), game[game > 0], strict=True)) for game in np.asarray(marked).reshape(2, -1)
    ] == [
        {0: 3, 11: 4},
        {5: 3},
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_put_highest(shape):
    cell, value = cells_and_values(shape, 40)
    cell = np.maximum(cell, 0)
    old = np.random.default_rng(1).integers(0, 99, shape).astype(np.uint8)
    expected = old.copy()
    for k, game in np.ndindex(cell.shape):
        expected[game].flat[cell[k, game]] = max(value[k, game], expected[game].flat[cell[k, game]])
    found = jax.jit(cells.scatter_max)(old, jnp.asarray(cell), jnp.asarray(value))
    np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("look_up", [cells.gather, cells.gather_by_index, cells.gather_by_bits])
def test_look_up(look_up, shape):
    held, (cell, _) = np.random.default_rng(2).random(shape) < 0.5, cells_and_values(shape)
    found = look_up(jnp.asarray(held), jnp.asarray(cell))
    for k, game in np.argwhere(cell >= 0):
        assert found[k, game] == held[game].flat[cell[k, game]]


def test_nth_finds_the_place_of_a_thing_and_its_number_there():
    counts = np.random.default_rng(2).integers(0, 4, 9)
    things = [(place, number) for place, count in enumerate(counts) for number in range(count)]
    numbers = np.arange(-1, len(things) + 1, dtype=np.int32)
    place, number = cells.nth(jnp.broadcast_to(counts[:, None], (9, len(numbers))), jnp.asarray(numbers))
    np.testing.assert_array_equal(np.stack([place, number], axis=1)[1:-1], things)
    assert place[0] == 0 and place[-1] == 9


@pytest.mark.parametrize("look_up", [cells.look_up, cells.look_up_by_index, cells.look_up_by_bits])
def test_look_up_what_all_games_share(look_up):
    drawn = np.random.default_rng(3).random((5, 70)) < 0.5
    cell = np.random.default_rng(4).permutation(drawn.size).reshape(2, -1).astype(np.int32)
    np.testing.assert_array_equal(look_up(drawn, jnp.asarray(cell)), drawn.flat[cell])
