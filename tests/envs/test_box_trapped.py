"""The rules of Box Trapped, step by step, on a corridor."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make
from influence_jax.envs.grid.movement import BACKWARD, FORWARD, RIGHT, STAY, TURN_CLOCKWISE
from tests.envs.helpers import (
    HORIZON,
    assert_lawful,
    assert_nothing_but_the_horizon_ends_it,
    digest,
    fields,
    play_at_random,
)

OPEN = 7
CORRIDOR = ("@@@@@@@", "@TD PA@", "@@@@@@@")
CELL, DOOR, START, TREE = (1, 1), (1, 2), (1, 4), (1, 5)
EAST = 1


@pytest.fixture(scope="module")
def env():
    return make("box-trapped", layout=CORRIDOR, view_radius=3)


@functools.partial(jax.jit, static_argnums=0)
def transition(env, state, actions):
    noise = env.sample_noise(jax.random.key(0), env.default_params)
    return env.transition(state, actions, noise, env.default_params)


def play(env, *actions):
    """Start with both agents heading east, take the steps; return the states and the timesteps after each."""
    state, _ = jax.jit(env.reset)(jax.random.key(0), env.default_params)
    state, states, steps = state.replace(heading=jnp.full(2, EAST)), [], []
    for pair in actions:
        state, timestep = transition(env, state, jnp.array(pair))
        states.append(jax.device_get(state))
        steps.append(jax.device_get(timestep))
    return states, steps


def cells(state):
    return [tuple(cell) for cell in state.position.tolist()]


def test_episode_starts_closed_with_the_trapped_agent_in_its_cell(env):
    state, timestep = jax.jit(env.reset)(jax.random.key(3), env.default_params)
    assert cells(state) == [START, CELL] and not state.opened and timestep.first
    headings = jax.vmap(lambda key: env.reset(key, env.default_params)[0].heading)(
        jax.random.split(jax.random.key(0), 99)
    )
    assert {tuple(pair) for pair in headings.tolist()} == {(a, b) for a in range(4) for b in range(4)}


def test_closed_door_holds(env):
    states, _ = play(env, (STAY, FORWARD), (STAY, OPEN), (STAY, FORWARD))
    assert all(cells(state)[1] == CELL and not state.opened for state in states)


def test_trapped_agent_can_leave_in_the_step_of_opening_and_the_door_stays_open(env):
    states, steps = play(env, (OPEN, FORWARD), (OPEN, BACKWARD), (STAY, FORWARD))
    assert [cells(state)[1] for state in states] == [DOOR, CELL, DOOR]
    assert all(state.opened for state in states)
    assert [step.metrics["opens"].tolist() for step in steps] == [[1, 0], [0, 0], [0, 0]]
    assert not any(step.reward.any() for step in steps), "opening is neither paid nor fined"


def test_apples_pay_on_entering_and_grow_back_at_once(env):
    states, steps = play(env, (FORWARD, STAY), (STAY, STAY), (BACKWARD, STAY), (FORWARD, STAY))
    assert [step.reward.tolist() for step in steps] == [[1, 0], [0, 0], [0, 0], [1, 0]]
    assert [bool(state.apples[TREE]) for state in states] == [False, False, True, False]


def test_other_agents_eat_too_and_agents_block_each_other(env):
    _, steps = play(env, (OPEN, FORWARD), (RIGHT, FORWARD), (STAY, FORWARD), (FORWARD, FORWARD), (STAY, FORWARD))
    assert steps[-1].reward.tolist() == [0, 0] and steps[3].reward.tolist() == [1, 0]
    state, _ = jax.jit(env.reset)(jax.random.key(0), env.default_params)
    state = state.replace(position=jnp.array([(1, 3), START]), heading=jnp.array([EAST, EAST]), opened=jnp.bool_(True))
    assert transition(env, state, jnp.array([STAY, FORWARD]))[1].reward.tolist() == [0, 1]


def test_turns_are_those_of_the_other_games(env):
    states, _ = play(env, (TURN_CLOCKWISE, STAY))
    assert states[0].heading.tolist() == [EAST + 1, EAST]


def test_both_agents_see_whether_the_door_is_open(env):
    """The door is three cells behind the opener and one ahead of the trapped agent; the views look east."""
    _, (closed, opened) = play(env, (STAY, STAY), (OPEN, STAY))
    changed = (closed.observation != opened.observation).any(axis=-1)
    assert np.argwhere(changed[0]).tolist() == [[5, 3]] and np.argwhere(changed[1]).tolist() == [[2, 3]]
    assert not opened.observation[1, 2, 3].any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_agents": 3}, ["num_agents is 3", "allowed: 2."]),
        ({"num_agents": 1}, ["num_agents is 1", "allowed: 2."]),
        ({"beams_visible": True}, ["beams_visible is True", "nobody has a beam"]),
        ({"layout": ("PPDA",)}, ["0 cells 'T'", "exactly 1"]),
        ({"layout": ("TDAT",)}, ["2 cells 'T'", "exactly 1"]),
        ({"layout": ("TDA ",)}, ["1 start cells"]),
        ({"layout": ("TPHA",)}, ["'H'", "'D' (door)"]),
    ],
)
def test_wrong_settings(options, words):
    with pytest.raises(ValueError) as error:
        make("box-trapped", **options)
    for word in words:
        assert word in str(error.value)


@pytest.fixture(scope="module")
def standard():
    """The game on the map of the paper."""
    return make("box-trapped", horizon=HORIZON)


@pytest.fixture(scope="module")
def played(standard):
    return play_at_random(standard, 0)


def test_state_offers_the_public_fields(standard, played):
    (state, _), _ = played
    assert fields(state) == {
        "position": ((2, 2), np.int32),
        "heading": ((2,), np.int32),
        "apples": (standard.walls.shape, np.bool_),
        "opened": ((), np.bool_),
        "time": ((), np.int32),
    }


def test_nothing_but_the_horizon_ends_it(played):
    assert_nothing_but_the_horizon_ends_it(played)


def test_reward_is_apples(played):
    _, (_, rest) = played
    np.testing.assert_array_equal(rest.reward, rest.metrics["apples"])


def test_every_world_has_its_own_price_of_an_apple(standard):
    params = jax.vmap(lambda price: standard.default_params.replace(apple_reward=price))(jnp.array([1.0, 0.0, 5.0]))
    keys = jax.random.split(jax.random.key(3), 3)
    state, _ = jax.jit(jax.vmap(standard.reset))(keys, params)
    # The opener looks at an apple.
    state = state.replace(position=state.position.at[:, 0].set(jnp.array([7, 9])), heading=jnp.ones((3, 2), int))
    _, timestep = jax.jit(jax.vmap(standard.step))(keys, state, jnp.full((3, 2), FORWARD), params)
    np.testing.assert_array_equal(timestep.reward, [[1, 0], [0, 0], [5, 0]])


def test_map_stays_lawful(standard, played):
    _, (states, _) = played
    assert_lawful(standard, states)


def test_golden_hash_of_100_steps(standard):
    """Detects any change of dynamics, randomness or pixels; record intended changes here."""
    _, (states, rest) = play_at_random(standard, 1)
    found = digest(states.position, states.apples, rest.observation, rest.reward, rest.visible)
    assert found == "7c2c8ad151a1febc"
