"""Games compiled with other platforms' kernels and run here equal those with the CPU's, bit for bit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax
from influence_jax.platforms import traced_for

STEPS, ENVS = 60, 8


@functools.cache
def played(name, num_agents, view, platform):
    env = influence_jax.make(name, num_agents=num_agents, view=view)
    reset = jax.vmap(env.reset, in_axes=(0, None))
    step = jax.vmap(env.step_or_reset, in_axes=(0, 0, 0, 0, None))

    def body(carry, now):
        key, actions = now
        carry = step(jax.random.split(key, ENVS), *carry, actions, env.default_params)
        return carry, carry

    def run():
        start = reset(jax.random.split(jax.random.key(0), ENVS), env.default_params)
        keys = jax.random.split(jax.random.key(1), STEPS)
        actions = jax.random.randint(jax.random.key(2), (STEPS, ENVS, num_agents), 0, env.spec.num_actions)
        return jax.lax.scan(body, start, (keys, actions))[1]

    with traced_for(platform):
        return jax.device_get(jax.jit(run)())


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize(
    ("name", "num_agents", "view"),
    [
        ("cleanup", 5, "egocentric"),
        pytest.param("harvest", 10, "egocentric", marks=pytest.mark.slow),
        pytest.param("cleanup-mp", 3, "reference", marks=pytest.mark.slow),
        pytest.param("box-trapped", 2, "egocentric", marks=pytest.mark.slow),
    ],
)
def test_every_form_is_the_same_game(name, num_agents, view, platform):
    expected, found = (played(name, num_agents, view, form) for form in ("cpu", platform))
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    if name == "cleanup":
        state, timestep = expected
        assert timestep.metrics["hits"].sum() > 0 and timestep.metrics["cleans"].sum() > 0 and jnp.any(state.apples)
