"""What all grid games share: settings, start positions, and randomness as an argument."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from influence_jax.envs import make, registered
from influence_jax.envs.grid import movement, vision
from influence_jax.envs.grid.world import GridWorld
from influence_jax.envs.harvest import Harvest
from tests.envs.helpers import assert_refused

ROOM = ("@@@@@", "@PA @", "@@@@@")


def test_layout_may_be_rows_or_one_text():
    text = "\n".join(ROOM)
    assert make("harvest", layout=text, num_agents=1) == make("harvest", layout=list(ROOM), num_agents=1)


def test_every_start_cell_may_be_taken():
    assert make("cleanup", num_agents=10).spec.num_agents == 10
    assert make("harvest", num_agents=20).spec.num_agents == 20


def test_defaults():
    env = make("cleanup")
    assert (env.num_agents, env.view_radius, env.horizon, env.view, env.shows_beams) == (
        5,
        7,
        1000,
        "egocentric",
        True,
    )
    assert make("cleanup", view="reference").shows_beams is False
    assert make("cleanup", beams_visible=False).shows_beams is False


@struct.dataclass
class CoinsState:
    """Without beams."""

    position: jax.Array
    heading: jax.Array
    time: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coins(GridWorld):
    """Nothing happens in it."""

    layout: tuple[str, ...] = ROOM
    letters = "@PA "
    action_names = ("stay",)
    default_params = None

    def initial_state(self, key, params):
        return CoinsState(*self.place_agents(key), jnp.int32(0))

    def sample_noise(self, key, params):
        return None

    def dynamics(self, state, actions, noise, params):
        raise NotImplementedError

    def layers(self, state):
        return {}


def test_options_that_follow_others_go_on_following_them():
    assert dataclasses.replace(make("cleanup"), view="reference").shows_beams is False
    assert dataclasses.replace(make("cleanup", view="reference"), view="egocentric").shows_beams is True


def test_a_game_without_beams_shows_none():
    env = Coins(num_agents=1, view_radius=1, horizon=5)
    state, timestep = env.reset(jax.random.key(0), None)
    np.testing.assert_array_equal(env.beam_map(state), np.zeros((3, 5), np.uint8))
    assert env.render(state, 8).shape == (24, 40, 3) and timestep.observation.shape == (1, 3, 3, 3)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("harvest", {"layout": ROOM}, ["num_agents is 5", "1 start cells"]),
        ("cleanup", {"num_agents": 11}, ["num_agents is 11", "10 start cells"]),
        ("harvest", {"num_agents": 0}, ["num_agents is 0", "from 1"]),
        ("harvest", {"num_agents": 2.0}, ["num_agents is 2.0", "whole numbers"]),
        ("harvest", {"num_agents": True}, ["num_agents is True", "whole numbers"]),
        ("harvest", {"view_radius": -1}, ["view_radius is -1", "from 0"]),
        ("harvest", {"horizon": 0}, ["horizon is 0", "from 1"]),
        ("harvest", {"view": "top"}, ["view is 'top'", "egocentric, reference"]),
        ("harvest", {"view": "reference", "beams_visible": True}, ["beams_visible is True", "view 'reference'"]),
        ("harvest", {"view": "reference", "headings_visible": True}, ["headings_visible is True", "view 'reference'"]),
        ("harvest", {"beams_visible": "yes"}, ["beams_visible is 'yes'", "True, False"]),
    ],
)
def test_wrong_settings(name, options, words):
    assert_refused(name, options, words)


@pytest.mark.parametrize("name", [name for name in registered() if isinstance(make(name), GridWorld)])
def test_a_view_reaches_as_far_as_its_radius(name):
    env = make(name)
    side = 2 * env.view_radius + 1
    assert env.spec.observation_shape == (side, side, 3)
    narrow = make(name, view_radius=1)
    assert narrow.spec.observation_shape == (3, 3, 3) and narrow != env


def test_starts_are_distinct_and_uniform_with_uniform_headings():
    env = make("cleanup", num_agents=4)
    draws = 4000
    position, heading = jax.jit(jax.vmap(env.place_agents))(jax.random.split(jax.random.key(2), draws))
    cells = np.asarray(position) @ [100, 1]
    assert all(len(set(row)) == 4 for row in cells.tolist())
    starts = env.start_cells @ [100, 1]
    for agent in range(4):
        counts = (cells[:, agent, None] == starts).sum(axis=0)
        assert counts.sum() == draws
        assert (abs(counts - draws / 10) < 5 * np.sqrt(draws * 0.09)).all()
        headings = np.bincount(np.asarray(heading)[:, agent], minlength=4)
        assert len(headings) == 4 and (abs(headings - draws / 4) < 5 * np.sqrt(draws * 3 / 16)).all()


def test_counterfactual_world_differs_only_by_the_other_action():
    env = make("cleanup")
    params = env.default_params
    state, _ = jax.jit(env.reset)(jax.random.key(5), params)
    noise = env.sample_noise(jax.random.key(6), params)
    act = jax.jit(env.transition)
    factual, _ = act(state, jnp.full(5, movement.STAY), noise, params)
    other, _ = act(state, jnp.array([movement.TURN_CLOCKWISE] + [movement.STAY] * 4), noise, params)
    assert other.heading[0] == (factual.heading[0] + 1) % 4
    jax.tree.map(np.testing.assert_array_equal, factual, other.replace(heading=factual.heading))


class Sniper(Harvest):
    """A game may give its beams another length, and have things in colours of its own."""

    beam_length = 2
    colours = ((1, 2, 3),)

    def layers(self, state):
        return super().layers(state) | {vision.OWN: state.apples & (np.arange(self.walls.shape[1]) == 2)}


def test_a_game_has_a_beam_length_and_colours_of_its_own():
    env = Sniper(layout=("PAAAA", "     "), num_agents=1, view_radius=4)
    state = env.initial_state(jax.random.key(0), env.default_params)
    state = state.replace(position=jnp.array([[0, 0]]), heading=jnp.array([1]))
    act, noise = jax.jit(env.transition), env.sample_noise(jax.random.key(0), env.default_params)
    state, timestep = act(state, jnp.array([movement.FIRE]), noise, env.default_params)
    np.testing.assert_array_equal(state.beams, [[0, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    _, timestep = act(state, jnp.array([movement.STAY]), noise, env.default_params)
    ahead = timestep.observation[0, :4, 4][::-1]  # from the agent outwards
    np.testing.assert_array_equal(ahead, [vision.PALETTE[vision.APPLE], (1, 2, 3), *[vision.PALETTE[vision.APPLE]] * 2])
