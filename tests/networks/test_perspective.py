"""A window recentred on each agent is what that agent sees itself, as far as the viewer sees it."""

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax.envs import scripted
from influence_jax.networks.perspective import RADIUS, perspectives

T, N = 40, 4


@pytest.fixture(scope="module")
def game():
    """A game of Harvest, and what everybody sees in each step: ``u8[T,N,V,V,3]``, positions and headings."""
    env = influence_jax.make("harvest", num_agents=N, headings_visible=True)
    trace = influence_jax.play(scripted.uniform_without_fire, env, seed=3)
    states = jax.tree.map(lambda x: x[:T], trace.states)
    return env, trace.observations[:T], np.asarray(states.position, int), np.asarray(states.heading)


def test_it_is_what_the_others_see_themselves(game):
    """Of what they see, a viewer has only what is in its own window; and their headings are relative to them."""
    env, images, position, heading = game
    radius = env.view_radius
    colours = np.array(env.spec.agent_colours, np.uint8)
    assert colours.shape == (N, 4, 3)
    found = np.asarray(jax.jit(lambda image: perspectives(image, colours))(images))
    assert found.shape == (T, N, N, 2 * RADIUS + 1, 2 * RADIUS + 1, 3)
    agents = {tuple(colour) for colour in colours.reshape(-1, 3)}
    middle = slice(radius - RADIUS, radius + RADIUS + 1)
    compared = 0
    for t, k, j in np.ndindex(T, N, N):
        window = found[t, k, j]
        apart = np.abs(position[t, j] - position[t, k]).max()
        if apart > radius:
            assert not window.any()
            continue
        # The cells of j's own picture, in the coordinates of the map.
        rows, columns = np.indices((2 * RADIUS + 1,) * 2) - RADIUS
        for turns in range(heading[t, j]):
            rows, columns = np.rot90(rows), np.rot90(columns)
        in_view = (np.abs(position[t, j, 0] + rows - position[t, k, 0]) <= radius) & (
            np.abs(position[t, j, 1] + columns - position[t, k, 1]) <= radius
        )
        own = images[t, j][middle, middle]
        nobody = np.array([tuple(pixel) not in agents for pixel in own.reshape(-1, 3)]).reshape(own.shape[:2])
        np.testing.assert_array_equal(window[in_view & nobody], own[in_view & nobody])
        assert not window[~in_view].any()
        compared += k != j
    assert compared > 20
