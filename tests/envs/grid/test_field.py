"""What games on an open field share, by hand; their tests compare the rest with slow games."""

import jax
import numpy as np
import pytest

from influence_jax.envs import make
from influence_jax.envs.grid.field import STEPS

FIELD = ("PPPP", "PPPP", "PPPP")
CORNERS = np.array([[0, 0], [2, 3]])


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("coins", [[[2, 0], [1, 3]], [[0, 1], [2, 0]], [[1, 0], [0, 3]], [[0, 3], [2, 2]]]),
        ("stag-hunt", [[[0, 0], [1, 3]], [[0, 1], [2, 3]], [[1, 0], [2, 3]], [[0, 0], [2, 2]]]),
    ],
)
def test_steps_from_the_corners(name, after):
    env = make(name, layout=FIELD)
    walk = jax.jit(jax.vmap(env.walk, (None, 0)))
    actions = np.repeat(np.array([*range(len(STEPS)), 5, -1]), 2).reshape(-1, 2)
    assert walk(CORNERS, actions).tolist() == [*after, *[CORNERS.tolist()] * 3]


@pytest.mark.parametrize(("name", "reach"), [("coins", 1), ("stag-hunt", 3)])
def test_how_far_corners_are_apart(name, reach):
    for radius in range(1, 5):
        seen = make(name, layout=FIELD, view_radius=radius).visible(CORNERS)
        assert seen.tolist() == [[False, radius >= reach], [radius >= reach, False]]


def test_of_two_agents_on_a_cell_the_second_is_drawn_and_a_wall_is_around():
    env = make("stag-hunt", layout=FIELD, view_radius=1)
    state, _ = env.reset(jax.random.key(0), env.default_params)
    together = state.replace(position=np.zeros((2, 2), np.int32), prey=np.array([9, 10, 11]))
    image, _ = env.observe(together)
    assert image[0, 1, 1].tolist() == [2, 81, 154] and (image[0] == image[1]).all()
    wall = (image[0] == 180).all(axis=-1)
    assert wall.tolist() == [[True] * 3, [True, False, False], [True, False, False]]


@pytest.mark.parametrize("name", ["coins", "stag-hunt"])
def test_a_picture_for_people(name):
    env = make(name, layout=FIELD)
    state, _ = env.reset(jax.random.key(0), env.default_params)
    image = env.render(state, scale=8)
    assert image.shape == (24, 32, 3) and len(np.unique(image.reshape(-1, 3), axis=0)) > 4
