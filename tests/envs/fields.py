"""Random episodes of games on an open field, to be compared with those of a slow game."""

import jax
import numpy as np

from tests.envs.helpers import random_actions

STEPS = 200


def played(env, seed):
    """Return the first state and timestep, the actions and noise of an episode, and all later states and timesteps."""
    params, (reset_key, noise_key) = env.default_params, jax.random.split(jax.random.key(seed))
    actions = random_actions(env, STEPS, seed)
    actions[::7] = np.array([-1, 5])  # no actions

    @jax.jit
    def episode(actions):
        noise = jax.vmap(env.sample_noise, (0, None))(jax.random.split(noise_key, STEPS), params)

        def step(state, inputs):
            state, timestep = env.transition(state, *inputs, params)
            return state, (state, timestep)

        first = env.reset(reset_key, params)
        return first, noise, jax.lax.scan(step, first[0], (actions, noise))[1]

    first, noise, rest = jax.device_get(episode(actions))
    return first, actions, noise, rest


def at(tree, t):
    return jax.tree.map(lambda x: x[t], tree)


def assert_seen(slow, state, timestep, radius):
    """The agents stand where the slow game has them, and see what it shows."""
    assert slow.agents == [tuple(cell) for cell in state.position.tolist()] and not state.heading.any()
    np.testing.assert_array_equal(timestep.visible, slow.sees(radius) & ~np.eye(2, dtype=bool))
    for agent in range(2):
        np.testing.assert_array_equal(timestep.observation[agent], slow.view(agent, radius, slow.things()))
