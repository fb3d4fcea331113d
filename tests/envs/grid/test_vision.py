"""Views compared with images drawn by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make
from influence_jax.envs.harvest import HarvestState

# One letter per colour: '.' black, '@' wall, 'a' apple, digits agents, 'f' fire, 'c' cleaning, 'w' waste, 'r' river or stream.
COLOURS = {
    ".": (0, 0, 0),
    "@": (180, 180, 180),
    "a": (0, 255, 0),
    "w": (99, 156, 194),
    "r": (113, 75, 24),
    "f": (255, 255, 0),
    "c": (100, 255, 255),
    "0": (0, 0, 255),
    "1": (2, 81, 154),
    "9": (159, 67, 255),
}


LAYOUT = (
    "@@@@@@@",
    "@A  P @",
    "@ P  A@",
    "@   A @",
    "@@@@@@@",
)


UP, RIGHT, DOWN, LEFT = range(4)


def image(*rows):
    return np.array([[COLOURS[letter] for letter in row] for row in rows], np.uint8)


def state_at(env, position, heading, beams=(), time=1):
    """A state with all apples of the drawing; ``beams`` maps cells to codes."""
    grid = np.zeros(env.walls.shape, np.uint8)
    for cell, kind in dict(beams).items():
        grid[cell] = kind
    return HarvestState(
        position=jnp.array(position, jnp.int32),
        heading=jnp.array(heading, jnp.int32),
        apples=jnp.asarray(env.apple_sites),
        beams=jnp.asarray(grid),
        time=jnp.int32(time),
    )


@functools.partial(jax.jit, static_argnums=0)
def look(env, state):
    return env.observe(state)[0]


# Agent 0 stands at row 2, column 2; agent 1 at row 1, column 4.
SEEN = {
    UP: image("@@@@@", "@a..1", "@.0..", "@...a", "@@@@@"),
    RIGHT: image("@1.a@", "@...@", "@.0.@", "@a..@", "@@@@@"),
    DOWN: image("@@@@@", "a...@", "..0.@", "1..a@", "@@@@@"),
    LEFT: image("@@@@@", "@..a@", "@.0.@", "@...@", "@a.1@"),
}


@pytest.mark.parametrize("heading", SEEN)
def test_the_cell_ahead_is_above_the_centre(heading):
    env = make("harvest", layout=LAYOUT, num_agents=2, view_radius=2)
    view = look(env, state_at(env, [(2, 2), (1, 4)], [heading, UP]))
    np.testing.assert_array_equal(view[0], SEEN[heading])


@pytest.mark.parametrize("other", SEEN)
@pytest.mark.parametrize("heading", SEEN)
def test_headings_are_shades_relative_to_the_viewer(heading, other):
    env = make("harvest", layout=LAYOUT, num_agents=2, view_radius=2, headings_visible=True)
    view = look(env, state_at(env, [(2, 2), (1, 4)], [heading, other]))[0]
    shade = {UP: 1, RIGHT: 0.75, DOWN: 0.5, LEFT: 0.25}[(other - heading) % 4]
    expected = SEEN[heading].copy()
    expected[(expected == COLOURS["1"]).all(axis=-1)] = (np.array(COLOURS["1"]) * shade).astype(np.uint8)
    np.testing.assert_array_equal(view, expected)


@pytest.mark.parametrize("heading", SEEN)
def test_reference_view_turns_right_and_left_the_other_way(heading):
    env = make("harvest", layout=LAYOUT, num_agents=2, view_radius=2, view="reference")
    state = state_at(env, [(2, 2), (1, 4)], [heading, UP], beams={(2, 3): 1})
    np.testing.assert_array_equal(look(env, state)[0], SEEN[{RIGHT: LEFT, LEFT: RIGHT}.get(heading, heading)])


def test_outside_the_map_is_black():
    env = make("harvest", layout=LAYOUT, num_agents=2, view_radius=3)
    view = look(env, state_at(env, [(1, 4), (3, 1)], [UP, LEFT]))
    expected = image(".......", ".......", "@@@@@@.", "a..0.@.", "....a@.", "1..a.@.", "@@@@@@.")
    np.testing.assert_array_equal(view[0], expected)


def test_first_observation():
    options = {"layout": LAYOUT, "num_agents": 2, "view_radius": 2}
    for view, there in (("egocentric", "0"), ("reference", ".")):
        env = make("harvest", view=view, **options)
        _, timestep = jax.jit(env.reset)(jax.random.key(0), env.default_params)
        centre = timestep.observation[0, 2, 2]
        np.testing.assert_array_equal(centre, COLOURS[there])


def test_beams_cover_agents_and_may_be_hidden():
    options = {"layout": LAYOUT, "num_agents": 2, "view_radius": 2}
    position, beams = [(2, 2), (1, 4)], {(1, 4): 1, (1, 3): 1, (2, 2): 2, (1, 1): 2}
    seen = make("harvest", **options)
    expected = image("@@@@@", "@c.ff", "@.c..", "@...a", "@@@@@")
    np.testing.assert_array_equal(look(seen, state_at(seen, position, [UP, UP], beams))[0], expected)
    hidden = make("harvest", beams_visible=False, **options)
    np.testing.assert_array_equal(look(hidden, state_at(hidden, position, [UP, UP], beams))[0], SEEN[UP])


def test_later_beam_wins_the_pixel_and_fades_after_one_step():
    layout = ("@@@@@@@", "@P    @", "@P   B@", "@P RHS@", "@@@@@@@")
    env = make("cleanup", layout=layout, num_agents=3, view_radius=3)

    @jax.jit
    def play(rank, actions):
        state, _ = env.reset(jax.random.key(0), env.default_params)
        state = state.replace(
            position=jnp.array([[1, 1], [2, 1], [3, 1]]), heading=jnp.array([RIGHT, RIGHT, UP]), waste=state.waste
        )
        noise = env.sample_noise(jax.random.key(1), env.default_params).replace(beam_rank=rank)
        return env.transition(state, actions, noise, env.default_params)

    fire_then_clean = jnp.array([7, 8, 4])
    state, _ = play(jnp.array([0, 1, 2]), fire_then_clean)
    # Fire lanes in rows 1 and 2, and outside the map in row 0; cleaning lanes in rows 1 to 3, the lowest up to agent 2.
    expected = np.array([[0] * 7, [0, 2, 2, 2, 2, 2, 0], [0, 2, 2, 2, 2, 2, 0], [0, 2, 0, 0, 0, 0, 0], [0] * 7])
    expected[1, 1] = 2  # the side lane of the cleaner ends at agent 0, whom it covers
    expected[1, 2:] = [1, 1, 1, 1, 0]
    expected[2, 1] = 1  # the side lane of the shooter ends at agent 1
    np.testing.assert_array_equal(state.beams, expected)
    state, timestep = play(jnp.array([1, 0, 2]), fire_then_clean)
    expected[2, 2:6] = 2
    np.testing.assert_array_equal(state.beams, expected)
    np.testing.assert_array_equal(timestep.observation[2, 3, 3], COLOURS["c"])
    np.testing.assert_array_equal(timestep.observation[2, 2, 3], COLOURS["f"])
    state, _ = play(jnp.array([0, 1, 2]), jnp.array([4, 4, 4]))
    assert not state.beams.any()


def test_river_and_waste_look_as_drawn():
    env = make("cleanup", layout=("PHRSB",), num_agents=1, view_radius=2)
    state, _ = jax.jit(env.reset)(jax.random.key(0), env.default_params)
    state = state.replace(position=jnp.array([[0, 2]]), heading=jnp.array([UP]), apples=jnp.asarray(env.apple_sites))
    np.testing.assert_array_equal(look(env, state)[0], image(".....", ".....", ".w0ra", ".....", "....."))


def test_tenth_agent_has_a_colour_and_the_eleventh_shares_that_of_the_first():
    env = make("harvest", layout=("P" * 12,), num_agents=12, view_radius=11)
    state = state_at(env, [(0, column) for column in range(12)], [UP] * 12)
    view = look(env, state)[0]
    np.testing.assert_array_equal(view[11, 11 + 9], COLOURS["9"])
    np.testing.assert_array_equal(view[11, 11 + 10], COLOURS["0"])
    np.testing.assert_array_equal(view[11, 11 + 11], COLOURS["1"])


def test_visible_is_the_square_window_of_the_row_agent():
    env = make("harvest", layout=("P" * 9, " " * 9, " " * 9), num_agents=3, view_radius=2)
    state = state_at(env, [(0, 0), (2, 2), (0, 4)], [UP, UP, UP])
    visible = jax.jit(env.observe)(state)[1]
    np.testing.assert_array_equal(visible, [[False, True, False], [True, False, True], [False, True, False]])
