"""Our games keep the interface of JaxMARL, as its base class and its wrappers use it."""

import functools
import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxmarl.environments import MultiAgentEnv
from jaxmarl.environments.spaces import Space
from jaxmarl.wrappers.baselines import LogWrapper

from influence_jax.envs import make
from influence_jax.interop import jaxmarl
from influence_jax.interop.jaxmarl import JaxMARLGame
from influence_jax.settings import ConfigError

HORIZON = 6


@pytest.fixture(scope="module")
def env():
    return JaxMARLGame(make("harvest", num_agents=3, horizon=HORIZON, view_radius=2), {"hit_penalty": 7})


@pytest.fixture(scope="module")
def played(env):
    """Two and a bit episodes of their `step` under their `LogWrapper`, in two games at once."""
    logged, steps = LogWrapper(env), 2 * HORIZON + 2

    @functools.partial(jax.vmap, in_axes=0)
    def play(key):
        def step(carry, key):
            choose, move = jax.random.split(key)
            spaces = zip(jax.random.split(choose, len(env.agents)), env.agents, strict=True)
            actions = {agent: env.action_space(agent).sample(key) for key, agent in spaces}
            observations, state, *rest = logged.step(move, carry, actions)
            return state, (observations, state.env_state, *rest)

        observations, state = logged.reset(key)
        return observations, jax.lax.scan(step, state, jax.random.split(key, steps))[1]

    return jax.device_get(jax.jit(play)(jax.random.split(jax.random.key(0), 2)))


def test_spaces_hold_what_is_seen_and_done(env, played):
    first, (observations, *_) = played
    assert isinstance(env, MultiAgentEnv) and env.agents == [f"agent_{n}" for n in range(3)]
    for agent in env.agents:
        seen, choices = env.observation_space(agent), env.action_space(agent)
        assert isinstance(seen, Space) and isinstance(choices, Space) and choices.n == len(env.game.spec.action_names)
        for images in (first[agent], observations[agent]):
            assert images.shape[-3:] == seen.shape and images.dtype == seen.dtype and seen.contains(images)
    assert env.name == "Harvest" and env.agent_classes == {"agents": env.agents}


def test_a_step_that_ends_an_episode_shows_the_next_one(env, played):
    _, (observations, states, _, dones, infos) = played
    time = np.arange(1, 2 * HORIZON + 3)
    for done in dones.values():
        np.testing.assert_array_equal(done, np.broadcast_to(time % HORIZON == 0, done.shape))
    np.testing.assert_array_equal(states.time, np.broadcast_to(time % HORIZON, states.time.shape))
    seen = jax.jit(jax.vmap(jax.vmap(env.get_obs)))(states)
    jax.tree.map(np.testing.assert_array_equal, seen, observations)
    np.testing.assert_array_equal(infos["returned_episode_lengths"][:, HORIZON - 1], HORIZON)


def test_rewards_are_the_games_and_none_is_lost(env, played):
    _, (_, _, rewards, _, infos) = played
    paid = infos["apples"] - infos["fires"] - 7 * infos["hits"]  # f32[E,T,N]
    np.testing.assert_array_equal(np.stack([rewards[agent] for agent in env.agents], axis=-1), paid)
    assert (infos["hits"] + infos["fires"]).sum() > 0
    np.testing.assert_array_equal(
        infos["returned_episode_returns"][:, HORIZON - 1], paid[:, :HORIZON].sum(axis=1, dtype=np.float32)
    )


def test_a_state_to_reset_to_and_actions_that_are_available(env):
    (_, one), (_, other) = (env.reset(jax.random.key(seed)) for seed in (1, 2))
    stay = dict.fromkeys(env.agents, jnp.int32(env.game.spec.action_names.index("stay")))
    _, after, _, dones, _ = env.step(jax.random.key(3), one.replace(time=jnp.int32(HORIZON - 1)), stay, other)
    assert dones["__all__"]
    jax.tree.map(np.testing.assert_array_equal, after, other)
    assert all(mask.all() and mask.shape == (8,) for mask in env.get_avail_actions(one).values())


def test_wrong_parameters():
    with pytest.raises(ConfigError, match=r"params.hit is not a parameter of this game"):
        JaxMARLGame(make("harvest"), {"hit": 0})


def test_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "jaxmarl.environments", None)
    with pytest.raises(ImportError, match=r"install it: pip install 'influence_jax\[jaxmarl\]'"):
        importlib.reload(jaxmarl)
