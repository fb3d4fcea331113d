"""The functions that games are written in, for one game and vmapped, against loops over cells."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs.grid import primitives

HEIGHT, WIDTH, GAMES = 7, 9, 4
RNG = np.random.default_rng(5)
SITES = RNG.random((HEIGHT, WIDTH)) < 0.5
MAPS = RNG.random((GAMES, HEIGHT, WIDTH)) < 0.4


def of_each_game(primitive, *args, **static):
    """Return a primitive's result for each game, after checking that vmapped and single calls agree."""
    one = functools.partial(primitive, **static)
    together = jax.vmap(one)(*args)
    alone = [one(*(x[game] for x in args)) for game in range(GAMES)]
    np.testing.assert_array_equal(together, np.stack(alone))
    return np.asarray(together)


def test_free_sites_are_counted_and_found_in_order():
    free = [[tuple(cell) for cell in np.argwhere(SITES & ~taken)] for taken in MAPS]
    np.testing.assert_array_equal(of_each_game(primitives.count_free, MAPS, sites=SITES), [len(f) for f in free])
    for n in range(min(map(len, free))):
        cell = of_each_game(primitives.nth_free, MAPS, np.full(GAMES, n), sites=SITES)
        assert [divmod(number, WIDTH) for number in cell.tolist()] == [f[n] for f in free]
    np.testing.assert_array_equal(of_each_game(primitives.nth_free, MAPS, np.full(GAMES, -1), sites=SITES), -1)


@pytest.mark.parametrize("squared_distance", [1, 2, 4, 9])
def test_neighbours_are_counted(squared_distance):
    count = of_each_game(primitives.count_neighbours, MAPS, squared_distance=squared_distance)
    for game, row, column in np.ndindex(count.shape):
        near = [
            MAPS[game, r, c]
            for r, c in np.ndindex(HEIGHT, WIDTH)
            if 0 < (r - row) ** 2 + (c - column) ** 2 <= squared_distance
        ]
        assert count[game, row, column] == sum(near)


def test_what_happens_at_sites():
    draw = RNG.random((GAMES, SITES.sum())).astype(np.float32)
    probability = np.array([0, 0.3, 0.5, 1], np.float32)
    happens = of_each_game(primitives.bernoulli, draw, probability, sites=SITES)
    np.testing.assert_array_equal(happens[:, SITES], draw < probability[:, None])
    assert not happens[:, ~SITES].any()

    probabilities = np.tile(np.array([0.1, 0.5, 0.8], np.float32), (GAMES, 1))
    count = RNG.integers(0, 5, MAPS.shape).astype(np.uint8)
    happens = of_each_game(primitives.bernoulli_by_count, draw, probabilities, count, sites=SITES)
    expected = draw < probabilities[0][np.minimum(count[:, SITES], 2)]
    np.testing.assert_array_equal(happens[:, SITES], expected)
    assert not happens[:, ~SITES].any()


def test_cells_are_put_and_got_by_number():
    cell = np.array([[3, 40, 62], [0, -1, 5], [-1, -1, -1], [62, 61, 62]], np.int32)
    put = of_each_game(primitives.put, np.zeros_like(MAPS), cell, value=True)
    for game, numbers in enumerate(cell.tolist()):
        assert set(np.flatnonzero(put[game])) == set(numbers) - {-1}
    inside = np.maximum(cell, 0)
    got = of_each_game(primitives.get, MAPS, inside)
    np.testing.assert_array_equal(got, np.take_along_axis(MAPS.reshape(GAMES, -1), inside, 1))
    np.testing.assert_array_equal(of_each_game(primitives.union, MAPS, MAPS[::-1]), MAPS | MAPS[::-1])


def test_layers_are_painted_one_over_another():
    background = np.full((HEIGHT, WIDTH), 3, np.uint8)
    paint = functools.partial(primitives.paint, codes=(1, 7), background=background)
    painted = jax.vmap(lambda below, above: paint((below, above)))(MAPS, MAPS[::-1])
    np.testing.assert_array_equal(painted, np.where(MAPS[::-1], 7, np.where(MAPS, 1, 3)))


def test_cells_ahead_of_an_agent():
    """A beam of four: the middle lane starts ahead, the side lanes beside; a wall ends one, an agent is covered."""
    walls = np.array([list(row) for row in (".......", ".......", "....@..", ".......")]) == "@"
    position, heading = jnp.array([[2, 1], [3, 3]]), jnp.array([1, 0])  # right and up
    cell = primitives.cells_ahead(position, heading, walls=walls, length=4)
    lanes = [[divmod(number, 7) for number in lane if number >= 0] for lane in np.asarray(cell)[:, :, 0].T.tolist()]
    assert lanes == [[(1, 1), (1, 2), (1, 3), (1, 4)], [(2, 2), (2, 3)], [(3, 1), (3, 2), (3, 3)]]
    lanes = [[divmod(number, 7) for number in lane if number >= 0] for lane in np.asarray(cell)[:, :, 1].T.tolist()]
    assert lanes == [[(3, 2), (2, 2), (1, 2), (0, 2)], [(2, 3), (1, 3), (0, 3)], [(3, 4)]]
