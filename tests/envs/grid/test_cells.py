"""Marking cells of maps, and finding the n-th of something."""

import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import cells


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


def test_nth_finds_the_place_of_a_thing_and_its_number_there():
    counts = np.random.default_rng(2).integers(0, 4, 9)
    things = [(place, number) for place, count in enumerate(counts) for number in range(count)]
    numbers = np.arange(-1, len(things) + 1, dtype=np.int32)
    place, number = cells.nth(jnp.broadcast_to(counts[:, None], (9, len(numbers))), jnp.asarray(numbers))
    np.testing.assert_array_equal(np.stack([place, number], axis=1)[1:-1], things)
    assert place[0] == 0 and place[-1] == 9
