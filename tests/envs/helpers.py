"""Playing any game at random, and checks shared by tests of several games."""

import functools
import hashlib

import jax
import numpy as np
import pytest

from influence_jax.envs import make

HORIZON = 40


@functools.partial(jax.jit, static_argnums=0)
def play(env, key, actions, params):
    """Reset, then play ``actions i32[T,N]`` by `step_or_reset`; return the first timestep and the stacked rest."""
    reset_key, step_key = jax.random.split(key)
    first = env.reset(reset_key, params)

    def step(carry, inputs):
        carry = env.step_or_reset(inputs[0], *carry, inputs[1], params)
        return carry, carry

    return first, jax.lax.scan(step, first, (jax.random.split(step_key, len(actions)), actions))[1]


def random_actions(env, steps, seed):
    return np.random.default_rng(seed).integers(0, env.spec.num_actions, (steps, env.spec.num_agents), dtype=np.int32)


def play_at_random(env, seed, params=None):
    """Two and a half episodes of a game whose horizon is `HORIZON`."""
    params = env.default_params if params is None else params
    return jax.device_get(play(env, jax.random.key(seed), random_actions(env, 100, seed), params))


def fields(state):
    return {name: (value.shape, value.dtype) for name, value in vars(state).items()}


def digest(*arrays):
    """A hash of every bit."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def assert_nothing_but_the_horizon_ends_it(played):
    (state, _), (states, rest) = played
    ticks = np.arange(1, len(rest.first) + 1)
    period = HORIZON + 1  # every episode costs one idle step, that of the reset
    assert state.time == 0
    np.testing.assert_array_equal(states.time, ticks % period)
    np.testing.assert_array_equal(rest.truncated, ticks % period == HORIZON)
    np.testing.assert_array_equal(rest.first, ticks % period == 0)
    np.testing.assert_array_equal(rest.discount, 1)
    # A fresh episode is a draw of its own.
    assert (states.position[HORIZON] != state.position).any()


def assert_lawful(env, states):
    """Check that apples are at apple sites, and that no agent is in a wall or on another's cell."""
    assert not (states.apples & ~env.apple_sites).any()
    for position in states.position:
        assert len({tuple(cell) for cell in position}) == env.spec.num_agents
        assert not env.walls[tuple(position.T)].any()


def assert_what_a_shot_costs(name, reward_of):
    """Play three games in which all agents fire, each with its own fine."""
    env = make(name, horizon=HORIZON)
    params = jax.vmap(lambda cost: env.default_params.replace(fire_cost=cost))(np.array([1, 0, 5], np.float32))
    keys = jax.random.split(jax.random.key(3), 3)
    state, _ = jax.jit(jax.vmap(env.reset))(keys, params)
    actions = np.full((3, env.spec.num_agents), env.spec.action_names.index("fire"), np.int32)
    _, timestep = jax.jit(jax.vmap(env.step))(keys, state, actions, params)
    costs = reward_of(timestep.metrics) - timestep.reward
    np.testing.assert_array_equal(costs, np.broadcast_to(np.array([[1], [0], [5]]), costs.shape))


def assert_chance_is_what_it_says(env, noise, numbers):
    """Check over 2000 steps that ranks of 5 agents are permutations, and that numbers are uniform."""
    for rank in (noise.move_rank, noise.beam_rank):
        np.testing.assert_array_equal(np.sort(rank, axis=1), np.broadcast_to(np.arange(5), (2000, 5)))
    assert (noise.move_rank != noise.beam_rank).any(axis=1).mean() > 0.97  # equal once in 120
    assert noise.apple.shape == (2000, env.apple_sites.sum())
    for number in numbers:
        assert 0 <= number.min() and number.max() < 1
        assert abs(number.mean() - 0.5) < 5 * np.sqrt(1 / 12 / number.size)


def assert_refused(name, options, words):
    """Check for a refusal in one sentence that says what is allowed."""
    with pytest.raises(ValueError) as error:
        make(name, **options)
    message = str(error.value)
    assert "\n" not in message and message.endswith((".", "?"))
    for word in words:
        assert word in message
