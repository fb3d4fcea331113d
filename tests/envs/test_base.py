"""What every environment inherits, tested on a game simple enough for mental arithmetic."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from influence_jax.envs.base import Environment
from influence_jax.settings import ConfigError
from influence_jax.types import EnvSpec

TARGET = 5.0


@struct.dataclass
class Count:
    total: jax.Array
    time: jax.Array


@dataclasses.dataclass(frozen=True)
class Counting(Environment):
    """One agent adds its action and a drawn number to a total, and is paid their sum; at 5 the game is over."""

    spec = EnvSpec(1, 3, ("stay", "one", "two"), (3, 3, 3), 4, ("added",))

    @property
    def default_params(self):
        return jnp.float32(1)

    def initial_state(self, key, params):
        return Count(total=jnp.zeros(1), time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key, params):
        return jax.random.bernoulli(key).astype(jnp.float32)

    def dynamics(self, state, actions, noise, params):
        added = params * (actions + noise)
        total = state.total + added
        discount = jnp.where(total[0] >= TARGET, 0.0, 1.0)
        return Count(total=total, time=state.time + 1), added, discount, {"added": added}

    def observe(self, state):
        image = jnp.broadcast_to(state.total[:, None, None, None], (1, 3, 3, 3)).astype(jnp.uint8)
        return image, jnp.zeros((1, 1), bool)


ENV = Counting()


def counted(total, time):
    return Count(total=jnp.array([float(total)]), time=jnp.int32(time))


def test_reset():
    state, timestep = ENV.reset(jax.random.key(0), 1.0)
    assert state.time == 0 and timestep.first and not timestep.last
    assert (timestep.reward, timestep.discount, timestep.metrics) == (0, 1, {"added": 0})


@pytest.mark.parametrize(
    ("total", "time", "action", "noise", "reward", "discount", "truncated"),
    [
        (0, 0, 2, 0, 2, 1, False),
        (0, 0, 2, 1, 3, 1, False),
        (3, 1, 2, 0, 2, 0, False),
        (0, 3, 1, 1, 2, 1, True),
        (4, 3, 1, 0, 1, 0, False),  # an end at the horizon is an end
    ],
)
def test_transition(total, time, action, noise, reward, discount, truncated):
    state, timestep = ENV.transition(counted(total, time), jnp.array([action]), jnp.float32(noise), 1.0)
    assert (state.total, state.time) == (total + reward, time + 1)
    assert (timestep.reward, timestep.metrics["added"], timestep.discount) == (reward, reward, discount)
    assert timestep.truncated == truncated and not timestep.first
    assert timestep.last == (truncated or discount == 0)
    assert (timestep.observation == total + reward).all()


@pytest.mark.parametrize("actions", [jnp.array(1), jnp.array([1, 1]), jnp.array([[1]]), jnp.array([1.0])])
def test_actions_of_another_shape_or_kind_are_refused(actions):
    """NumPy's rules would broadcast one action to all agents."""
    state, timestep = ENV.reset(jax.random.key(0), 1.0)
    with pytest.raises(ConfigError, match=r"actions are .* for one game of 1 agents; allowed: whole numbers \[1\]"):
        ENV.step(jax.random.key(0), state, actions, 1.0)
    with pytest.raises(ConfigError, match="actions are"):
        ENV.step_or_reset(jax.random.key(0), state, timestep, actions, 1.0)


def test_step_draws_the_noise_of_its_key():
    for seed in range(5):
        key = jax.random.key(seed)
        noise = ENV.sample_noise(key, 1.0)
        args = counted(1, 1), jnp.array([1])
        jax.tree.map(np.testing.assert_array_equal, ENV.step(key, *args, 1.0), ENV.transition(*args, noise, 1.0))


@pytest.mark.parametrize(("total", "time"), [(3, 1), (0, 3), (4, 3)])
def test_after_the_last_step_comes_an_idle_one(total, time):
    """Whether the game terminated, was truncated, or both: actions are ignored, rewards are zero, and a new episode starts."""
    state, last = ENV.transition(counted(total, time), jnp.array([2]), jnp.float32(0), 1.0)
    assert last.last
    state, idle = ENV.step_or_reset(jax.random.key(1), state, last, jnp.array([2]), 1.0)
    fresh, first = ENV.reset(jax.random.key(1), 1.0)
    jax.tree.map(np.testing.assert_array_equal, (state, idle), (fresh, first))
    state, timestep = ENV.step_or_reset(jax.random.key(2), state, idle, jnp.array([1]), 1.0)
    jax.tree.map(
        np.testing.assert_array_equal, (state, timestep), ENV.step(jax.random.key(2), fresh, jnp.array([1]), 1.0)
    )
