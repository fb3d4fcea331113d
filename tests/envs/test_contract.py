"""Every registered environment keeps the contract of `influence_jax.envs.base`."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax.envs
from influence_jax.config import EnvConfig
from influence_jax.envs.grid.world import GridWorld
from influence_jax.types import TimeStep
from tests.envs.helpers import HORIZON, play_at_random, random_actions
from tests.learner.worlds import MODELS, probe_config


@pytest.fixture(scope="module", params=influence_jax.envs.registered())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def env(name):
    return influence_jax.envs.make(name, horizon=HORIZON)


@pytest.fixture(scope="module")
def played(env):
    return play_at_random(env, 0)


@pytest.fixture(scope="module")
def state(env):
    return jax.jit(env.reset)(jax.random.key(4), env.default_params)[0]


@pytest.fixture(scope="module")
def counted(env):
    """The compiled step, and a list that grows by one with every trace."""
    traces = []

    @jax.jit
    def step(key, state, actions, params):
        traces.append(None)
        return env.step(key, state, actions, params)

    return step, traces


def test_spec_says_what_timesteps_hold(env, played):
    spec = env.spec
    n, image = spec.num_agents, spec.observation_shape
    assert image[0] == image[1] and image[2] == 3 and spec.horizon == HORIZON
    assert len(spec.action_names) == len(set(spec.action_names)) == spec.num_actions
    (_, first), (_, rest) = played
    expected = TimeStep(
        observation=((n, *image), np.uint8),
        reward=((n,), np.float32),
        discount=((), np.float32),
        first=((), np.bool_),
        truncated=((), np.bool_),
        visible=((n, n), np.bool_),
        metrics=dict.fromkeys(spec.metric_names, ((n,), np.float32)),
    )
    assert jax.tree.map(lambda x: (x.shape, x.dtype), first) == expected
    assert jax.tree.map(lambda x: (x.shape[1:], x.dtype), rest) == expected
    assert not first.visible.diagonal().any() and not rest.visible.diagonal(axis1=1, axis2=2).any()


def test_states_keep_their_shapes_and_offer_the_time(played):
    (state, _), (states, _) = played
    kinds = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    assert jax.tree.map(lambda x: (x.shape[1:], x.dtype), states) == kinds
    assert (state.time.shape, state.time.dtype) == ((), np.int32)


def test_episodes_are_truncated_at_the_horizon_and_start_again(env, played):
    (state, first), (states, rest) = played
    assert first.first and not first.last and state.time == 0
    last = np.concatenate([[first.last], rest.last])
    assert last[:-1].any()
    np.testing.assert_array_equal(rest.first, last[:-1])
    time = np.concatenate([[state.time], states.time])
    np.testing.assert_array_equal(time[1:], np.where(rest.first, 0, time[:-1] + 1))
    np.testing.assert_array_equal(rest.truncated, (states.time == HORIZON) & (rest.discount > 0))
    np.testing.assert_array_equal(rest.last, rest.truncated | (rest.discount == 0))
    for quantity in (rest.reward, *rest.metrics.values()):
        assert not quantity[rest.first].any()
    assert (rest.discount[rest.first] == 1).all()
    # A fresh episode is a draw of its own, where there is chance.
    again, chance = (
        np.flatnonzero(rest.first)[0],
        jax.tree.leaves(env.sample_noise(jax.random.key(0), env.default_params)),
    )
    same = all((a[again] == b).all() for a, b in zip(jax.tree.leaves(states), jax.tree.leaves(state), strict=True))
    assert same == (not chance)


def test_what_is_seen_depends_on_the_state_alone(env, played):
    _, (states, rest) = played
    observation, visible = jax.jit(jax.vmap(env.observe))(states)
    np.testing.assert_array_equal(observation, rest.observation)
    np.testing.assert_array_equal(visible, rest.visible)


def test_step_is_transition_under_sampled_noise_and_eager_code_agrees(env, state):
    key, params, actions = jax.random.key(2), env.default_params, random_actions(env, 1, 1)[0]
    eager = env.transition(state, actions, env.sample_noise(key, params), params)
    jax.tree.map(np.testing.assert_array_equal, jax.jit(env.step)(key, state, actions, params), eager)


def test_integers_that_are_no_actions_do_nothing(env, state):
    """They act like ``stay``, if a game has that action, also for some agents while others act."""
    spec, params = env.spec, env.default_params
    strange = np.array([-1, -7, -(2**31), spec.num_actions, spec.num_actions + 1, 2**31 - 1], np.int32)
    actions = random_actions(env, len(strange), 6)
    odd = np.arange(actions.size).reshape(actions.shape) % 2 == 0
    noise = jax.vmap(env.sample_noise, (0, None))(jax.random.split(jax.random.key(6), len(strange)), params)
    act = jax.jit(jax.vmap(env.transition, (None, 0, 0, None)))
    after, timestep = act(state, jnp.where(odd, strange[:, None], actions), noise, params)
    assert all(np.isfinite(x).all() for x in (timestep.reward, *timestep.metrics.values()))
    kinds = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    assert jax.tree.map(lambda x: (x.shape[1:], x.dtype), after) == kinds
    if "stay" in spec.action_names:
        stayed = act(state, jnp.where(odd, spec.action_names.index("stay"), actions), noise, params)
        jax.tree.map(np.testing.assert_array_equal, (after, timestep), stayed)


def test_step_compiles_once(env, state, counted):
    step, traces = counted
    for key in jax.random.split(jax.random.key(5), 3):
        state, _ = step(key, state, random_actions(env, 1, 5)[0], env.default_params)
    assert len(traces) == 1


def test_vmap_over_worlds_and_params_agrees_with_single_steps(env, counted):
    """One game with default parameters, and one for each parameter with that one changed."""
    leaves, tree = jax.tree.flatten(env.default_params)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    worlds = len(leaves) + 1
    stacked = tree.unflatten(
        jnp.stack([leaf + (world == number + 1) * (leaf + 0.25) / 2 for world in range(worlds)])
        for number, leaf in enumerate(leaves)
    )
    keys = jax.random.split(jax.random.key(3), worlds)
    state, _ = jax.jit(jax.vmap(env.reset))(keys, stacked)
    actions = random_actions(env, worlds, 3)
    together = jax.jit(jax.vmap(env.step))(keys, state, actions, stacked)
    for index in range(worlds):
        own_state, own_params = jax.tree.map(lambda x, index=index: x[index], (state, stacked))
        alone = counted[0](keys[index], own_state, actions[index], own_params)
        jax.tree.map(np.testing.assert_array_equal, alone, jax.tree.map(lambda x, index=index: x[index], together))


def test_same_settings_are_equal_and_hashable(name, env):
    assert env == influence_jax.envs.make(name, horizon=HORIZON)
    assert hash(env) == hash(influence_jax.envs.make(name, horizon=HORIZON))
    assert env != influence_jax.envs.make(name, horizon=HORIZON + 1)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("game", ["coins", "matrix", "stag-hunt"])
def test_every_influence_model_learns_and_is_replayed(game, model, tmp_path):
    config = dataclasses.replace(probe_config(influence=MODELS[model]), env=EnvConfig(game, horizon=8))
    run = influence_jax.train(config)
    assert np.isfinite(run.metrics["policy_loss"]).all() and (run.metrics["influence"] > 0).any()
    assert np.isfinite(influence_jax.evaluate(run, num_episodes=2).collective_return).all()
    trace = run.trace()
    assert trace.actions.shape == (8, 2) and np.isfinite(run.trace(real=True).influence).all()
    if isinstance(run.learner.env, GridWorld):
        trace.video(tmp_path / "episode.gif", arrows=1e-9)
