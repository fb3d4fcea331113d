"""What every registered environment promises."""

import functools
import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax.envs
from influence_jax.envs import BoxTrapped, Cleanup, Harvest
from influence_jax.types import TimeStep

HORIZON = 40
OWN_MAPS = {
    BoxTrapped: {},
    Cleanup: {"beams": np.uint8, "waste": np.bool_},
    Harvest: {"beams": np.uint8},
}
HASHES = {
    "box-trapped": "7c2c8ad151a1febc",
    "cleanup": "081d7524b4de6a0f",
    "cleanup-mp": "81574fdf6ad123c5",
    "harvest": "19399636d507790b",
    "harvest-mp": "bd9e1d3c255d40b9",
}


@pytest.fixture(scope="module", params=influence_jax.envs.registered())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def env(name):
    return influence_jax.envs.make(name, horizon=HORIZON)


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


@pytest.fixture(scope="module")
def played(env):
    """Two and a half episodes."""
    return jax.device_get(play(env, jax.random.key(0), random_actions(env, 100, 0), env.default_params))


def test_spec_says_what_timesteps_hold(env, played):
    n = env.spec.num_agents
    side = 2 * env.view_radius + 1
    assert env.spec.observation_shape == (side, side, 3)
    assert len(env.spec.action_names) == len(set(env.spec.action_names)) == env.spec.num_actions
    (_, first), (_, rest) = played
    expected = TimeStep(
        observation=((n, side, side, 3), np.uint8),
        reward=((n,), np.float32),
        discount=((), np.float32),
        first=((), np.bool_),
        truncated=((), np.bool_),
        visible=((n, n), np.bool_),
        metrics=dict.fromkeys(env.spec.metric_names, ((n,), np.float32)),
    )
    assert jax.tree.map(lambda x: (x.shape, x.dtype), first) == expected
    assert jax.tree.map(lambda x: (x.shape[1:], x.dtype), rest) == expected


def test_state_offers_the_public_fields(env, played):
    (state, _), _ = played
    n, shape = env.spec.num_agents, env.walls.shape
    fields = {"position": ((n, 2), np.int32), "heading": ((n,), np.int32), "apples": (shape, np.bool_)}
    fields |= {"time": ((), np.int32)} | {field: (shape, kind) for field, kind in OWN_MAPS[env.__class__].items()}
    if isinstance(env, BoxTrapped):
        fields["opened"] = ((), np.bool_)
    assert {key: (value.shape, value.dtype) for key, value in vars(state).items()} == fields


def test_episodes_are_truncated_at_the_horizon_and_start_again(env, played):
    (state, first), (states, rest) = played
    assert first.first and not first.truncated and state.time == 0
    ticks = np.arange(1, 101)
    period = HORIZON + 1  # every episode costs one idle step, that of the reset
    np.testing.assert_array_equal(states.time, ticks % period)
    np.testing.assert_array_equal(rest.truncated, ticks % period == HORIZON)
    np.testing.assert_array_equal(rest.first, ticks % period == 0)
    np.testing.assert_array_equal(rest.discount, 1)
    np.testing.assert_array_equal(rest.last, rest.truncated)
    for quantity in (rest.reward, *rest.metrics.values()):
        assert not quantity[rest.first].any()
    # A fresh episode is a draw of its own.
    assert (states.position[HORIZON] != state.position).any()


def test_reward_is_apples_minus_fires_minus_fifty_per_hit(env, played):
    _, (_, rest) = played
    metrics = rest.metrics
    if isinstance(env, BoxTrapped):
        np.testing.assert_array_equal(rest.reward, metrics["apples"])
        return
    np.testing.assert_array_equal(rest.reward, metrics["apples"] - metrics["fires"] - 50 * metrics["hits"])
    assert metrics["fires"].sum() > 0


def test_map_stays_lawful(env, played):
    _, (states, _) = played
    assert not (states.apples & ~env.apple_sites).any()
    if hasattr(states, "waste"):
        assert not (states.waste & ~env.river).any()
    for position in states.position:
        assert len({tuple(cell) for cell in position}) == env.spec.num_agents
        assert not env.walls[tuple(position.T)].any()


def test_golden_hash_of_100_steps(name, env):
    """Any change of the dynamics, the chance or the pixels shows; a wanted one is written down here."""
    params = env.default_params
    if hasattr(params, "depletion_threshold"):
        params = params.replace(depletion_threshold=jnp.float32(0.9))  # so that apples and waste grow from the start
    _, (states, rest) = jax.device_get(play(env, jax.random.key(1), random_actions(env, 100, 1), params))
    digest = hashlib.sha256()
    waste = [states.waste] if hasattr(states, "waste") else []
    for array in (states.position, states.apples, *waste, rest.observation, rest.reward, rest.visible):
        digest.update(np.ascontiguousarray(array).tobytes())
    assert digest.hexdigest()[:16] == HASHES[name]


@pytest.fixture(scope="module")
def counted(env):
    """The compiled step, and a list that grows by one whenever it is traced."""
    traces = []

    @jax.jit
    def step(key, state, actions, params):
        traces.append(None)
        return env.step(key, state, actions, params)

    return step, traces


def test_step_compiles_once(env, counted):
    step, traces = counted
    state, _ = jax.jit(env.reset)(jax.random.key(4), env.default_params)
    for key in jax.random.split(jax.random.key(5), 3):
        state, _ = step(key, state, random_actions(env, 1, 5)[0], env.default_params)
    assert len(traces) == 1


def test_vmap_over_worlds_and_params_agrees_with_single_steps(env, counted):
    keys = jax.random.split(jax.random.key(3), 3)
    number, action = ("apple_reward", "forward") if isinstance(env, BoxTrapped) else ("fire_cost", "fire")
    params = [env.default_params.replace(**{number: jnp.float32(value)}) for value in (1, 0, 5)]
    state, _ = jax.jit(jax.vmap(env.reset, (0, None)))(keys, params[0])
    if isinstance(env, BoxTrapped):  # the opener looks at an apple
        state = state.replace(position=state.position.at[:, 0].set(jnp.array([7, 9])), heading=jnp.ones((3, 2), int))
    actions = np.full((3, env.spec.num_agents), env.spec.action_names.index(action), np.int32)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
    together = jax.jit(jax.vmap(env.step))(keys, state, actions, stacked)
    for index in range(3):
        alone = counted[0](keys[index], jax.tree.map(lambda x: x[index], state), actions[index], params[index])
        jax.tree.map(np.testing.assert_array_equal, alone, jax.tree.map(lambda x: x[index], together))
    timestep = together[1]
    if isinstance(env, BoxTrapped):
        np.testing.assert_array_equal(timestep.reward, [[1, 0], [0, 0], [5, 0]])
        return
    costs = timestep.metrics["apples"] - 50 * timestep.metrics["hits"] - timestep.reward
    np.testing.assert_array_equal(costs, np.broadcast_to(np.array([[1], [0], [5]]), costs.shape))


@pytest.mark.parametrize("name", ["cleanup", "harvest"])
def test_step_is_transition_under_sampled_noise_and_eager_code_agrees(name):
    env = influence_jax.envs.make(name, num_agents=2)  # few agents, since eager code compiles operation by operation
    params = env.default_params
    state, _ = jax.jit(env.reset)(jax.random.key(1), params)
    actions = random_actions(env, 1, 1)[0]
    eager = env.transition(state, actions, env.sample_noise(jax.random.key(2), params), params)
    jax.tree.map(np.testing.assert_array_equal, jax.jit(env.step)(jax.random.key(2), state, actions, params), eager)


def test_same_settings_are_equal_and_hashable(name, env):
    assert env == influence_jax.envs.make(name, horizon=HORIZON)
    assert hash(env) == hash(influence_jax.envs.make(name, horizon=HORIZON))
    assert env != influence_jax.envs.make(name, horizon=HORIZON, view_radius=2)
