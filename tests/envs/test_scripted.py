"""Scripted players do what they claim."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make, scripted

MAZE = (
    "P  @A",
    " @ @ ",
    " @   ",
    "A@@@ ",
)


def test_distances_go_around_obstacles():
    obstacles = np.array([list(row) for row in MAZE]) == "@"
    targets = np.zeros(obstacles.shape, bool)
    targets[0, 4] = True
    far = scripted.FAR
    expected = [[8, 7, 6, far, 0], [9, far, 5, far, 1], [10, far, 4, 3, 2], [11, far, far, far, 3]]
    np.testing.assert_array_equal(scripted.distances(jnp.asarray(targets), jnp.asarray(obstacles)), expected)
    nowhere = scripted.distances(jnp.zeros_like(targets), jnp.asarray(obstacles))
    assert (nowhere == far).all()


@functools.partial(jax.jit, static_argnums=(0, 1, 3))
def episode(env, player, key, steps):
    def step(state, key):
        player_key, noise_key = jax.random.split(key)
        actions = player(player_key, env, state)
        noise = env.sample_noise(noise_key, env.default_params)
        new, _, _, metrics = env.dynamics(state, actions, noise, env.default_params)
        return new, (state, actions, metrics)

    return jax.lax.scan(step, env.initial_state(key, env.default_params), jax.random.split(key, steps))[1]


def test_greedy_takes_the_shortest_path():
    env = make("harvest", layout=("PA  ", "@@@ ", "A   ", "    "), num_agents=1)
    _, actions, metrics = episode(env, scripted.greedy, jax.random.key(0), 12)
    # The near apple at step 1, then 7 steps around the wall to the far one; then there is nothing left to go for.
    np.testing.assert_array_equal(np.flatnonzero(metrics["apples"][:, 0]), [0, 7])
    assert (actions[8:] == 4).all()


def test_greedy_finds_a_way_around_a_standing_agent():
    env = make("harvest", layout=("PPA", "   "), num_agents=2)
    still = scripted.team(scripted.greedy, lambda key, env, state: jnp.full(2, 4))
    state = env.initial_state(jax.random.key(0), env.default_params)
    state = state.replace(position=jnp.array([(0, 0), (0, 1)]), heading=jnp.zeros(2, jnp.int32))
    step = jax.jit(
        lambda state: env.step(jax.random.key(1), state, still(jax.random.key(2), env, state), env.default_params)
    )
    eaten = 0
    for _ in range(4):
        state, timestep = step(state)
        eaten += timestep.metrics["apples"]
    np.testing.assert_array_equal(eaten, [1, 0])


@pytest.mark.parametrize("name", ["harvest", "harvest-mp"])
def test_sustainable_harvesters_leave_lonely_apples(name):
    env = make(name, num_agents=5)
    states, _, metrics = jax.device_get(episode(env, scripted.sustainable(2), jax.random.key(3), 200))
    ate = np.zeros_like(metrics["apples"][:, 0])
    for t in range(199):
        crowd = np.asarray(env.apple_neighbours(jnp.asarray(states.apples[t]))) if metrics["apples"][t].any() else None
        for agent in np.flatnonzero(metrics["apples"][t]):
            assert crowd[tuple(states.position[t + 1, agent])] >= 2
            ate[t] += 1
    assert ate.sum() > 100


def test_cleaners_clean_the_river():
    env = make("cleanup", num_agents=2)
    states, actions, metrics = episode(env, scripted.cleaner, jax.random.key(4), 150)
    cleaned = metrics["cleans"].sum()
    assert cleaned > 100
    # Nobody cleans in vain, apart from two cleaners after the same cell.
    assert (metrics["cleans"][actions == 8] == 0).mean() < 0.1
    assert states.waste[-1].sum() < 40


def test_random_players_and_slips():
    env = make("cleanup", num_agents=5)
    keys = jax.random.split(jax.random.key(5), 4000)
    still = lambda key, env, state: jnp.full(5, 4)  # noqa: E731
    counts = {}
    players = {
        "uniform": scripted.uniform,
        "no fire": scripted.uniform_without_fire,
        "slips": scripted.noisy(still, 0.2),
    }
    for name, player in players.items():
        actions = jax.jit(jax.vmap(lambda key: player(key, env, None)))(keys)
        counts[name] = np.bincount(np.asarray(actions).ravel(), minlength=9) / actions.size
    error = 5 * np.sqrt(0.11 * 0.89 / 20000)
    np.testing.assert_allclose(counts["uniform"], 1 / 9, atol=error)
    np.testing.assert_allclose(counts["no fire"], [0.125] * 7 + [0, 0.125], atol=error)
    np.testing.assert_allclose(counts["slips"], [0.025] * 4 + [0.825] + [0.025] * 2 + [0, 0.025], atol=error)


def test_team_gives_every_agent_its_role():
    env = make("cleanup", num_agents=3)
    constant = [lambda key, env, state, a=a: jnp.full(3, a) for a in (2, 5)]
    player = scripted.team(constant[0], constant[1], constant[0])
    np.testing.assert_array_equal(player(jax.random.key(0), env, None), [2, 5, 2])
    with pytest.raises(ValueError, match=r"2 roles.*3 agents"):
        scripted.team(*constant)(jax.random.key(0), env, None)
