"""The games in C are the games in JAX, so that their speeds may be compared."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import c_games
from influence_jax.config import ConfigError
from influence_jax.envs import Cleanup, make

pytestmark = [
    pytest.mark.skipif(c_games.compiler() is None, reason="there is no C compiler"),
]

STEPS = 300
CREEK = ("PPRRHHB", "PRRHHBB", "P@RSRRP", "BPPRHPP", "BBPRRPB")  # without an outer wall, and little room
MEADOW = ("PPAAPP", "PAAAAP", "P@AA@P", "PPAAPP")
GAMES = {
    "cleanup": ("cleanup", {"num_agents": 5}, {}),
    "harvest": ("harvest", {"num_agents": 5}, {}),
    "cleanup, crowded": ("cleanup", {"num_agents": 10, "layout": CREEK}, {"apple_rate": 0.2}),
    "harvest, crowded": ("harvest", {"num_agents": 12, "layout": MEADOW}, {"regrowth": [0.03, 0.06, 0.12, 0.24]}),
}


def make_game(name, options, numbers):
    env = make(name, **options)
    return env, env.default_params.replace(**{key: jnp.float32(value) for key, value in numbers.items()})


@functools.partial(jax.jit, static_argnums=0)
def record(env, key, state, actions, params):
    """Play ``actions i32[T,N]``; return, stacked, the noise of every step and what it led to."""

    def step(state, inputs):
        noise = env.sample_noise(inputs[0], params)
        state, timestep = env.transition(state, inputs[1], noise, params)
        return state, (noise, state, timestep)

    return jax.lax.scan(step, state, (jax.random.split(key, len(actions)), actions))[1]


@pytest.mark.parametrize("game", GAMES)
def test_same_noise_leads_to_the_same_game(game):
    """Bit for bit. Growth rates come from the same float32 operations in the same order. Where a compiler fuses some of
    them, rates differ by a small part of the 2^-24 between two numbers of the noise, which hardly ever lie between."""
    env, params = make_game(*GAMES[game])
    cleanup = isinstance(env, Cleanup)
    native = c_games.NativeGame(env, params)
    state = env.initial_state(jax.random.key(1), params)
    if cleanup:
        state = state.replace(waste=jnp.zeros_like(state.waste))  # apples grow from the first step on
    draw = np.random.default_rng(2)
    actions = draw.integers(0, env.spec.num_actions, (STEPS, env.num_agents), dtype=np.int32)
    strange = draw.choice(np.array([-1, -7, -(2**31), env.spec.num_actions, 2**31 - 1], np.int32), actions.shape)
    actions = np.where(draw.random(actions.shape) < 0.1, strange, actions)  # integers that are no actions do nothing
    played = jax.device_get(record(env, jax.random.key(3), state, actions, params))

    states = native.load(state)
    for time in range(STEPS):
        noise, state, timestep = jax.tree.map(lambda x: x[time], played)
        outcome = native.step(states, actions[time], noise)
        expected = vars(state) | {key: getattr(timestep, key) for key in ("observation", "visible", "reward")}
        expected["metrics"] = np.stack([timestep.metrics[metric] for metric in c_games.METRICS])
        found = native.save(states) | outcome._asdict()
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, f"{key} after step {time}", strict=True)

    _, state, timestep = played
    happened = {metric for metric, value in timestep.metrics.items() if value.any()}
    assert happened == {"apples", "fires", "hits"} | ({"cleans"} if cleanup else set())
    assert (state.apples[1:] & ~state.apples[:-1]).any(), "no apple grew"
    assert not cleanup or (state.waste[1:] & ~state.waste[:-1]).any(), "no waste appeared"


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def random_play(env, key, num_envs, steps, params):
    """Return of each game f32[E,7]: reward and metrics summed over agents and steps, apples and waste at the end."""

    def step(carry, key):
        action_key, env_key = jax.random.split(key)
        actions = jax.random.randint(action_key, (num_envs, env.num_agents), 0, env.spec.num_actions)
        keys = jax.random.split(env_key, num_envs)
        carry = jax.vmap(env.step_or_reset, (0, 0, 0, 0, None))(keys, *carry, actions, params)
        values = (carry[1].reward, *(carry[1].metrics[metric] for metric in c_games.METRICS))
        return carry, jnp.stack([value.sum(axis=1) for value in values], axis=-1)

    reset_key, step_key = jax.random.split(key)
    carry = jax.vmap(env.reset, (0, None))(jax.random.split(reset_key, num_envs), params)
    (state, _), values = jax.lax.scan(step, carry, jax.random.split(step_key, steps))
    left = [jnp.sum(field, axis=(1, 2)) for field in (state.apples, getattr(state, "waste", jnp.zeros((1, 1, 1))))]
    return jnp.column_stack([values.sum(axis=0), *jnp.broadcast_arrays(*left)])


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("cleanup", {}), ("cleanup", {"depletion_threshold": 0.9}), ("harvest", {})],
    ids=["cleanup", "cleanup with many apples", "harvest"],
)
@pytest.mark.slow
def test_own_chance_leads_to_the_same_averages(name, numbers):
    """Two episodes and a half of random actions: `play` draws the noise by itself."""
    steps, num_envs = 300, 512
    env, params = make_game(name, {"horizon": 120}, numbers)
    expected = np.asarray(random_play(env, jax.random.key(0), 128, steps, params))
    native = c_games.NativeGame(env, params)
    states, outcome = native.reset(num_envs, seed=0)
    actions = np.random.default_rng(0).integers(0, env.spec.num_actions, (steps, num_envs, env.num_agents))
    reward, totals = native.play(states, outcome, actions)
    saved = [native.save(states, game) for game in range(num_envs)]
    left = [sum(state[field].sum() for state in saved if field in state) for field in ("apples", "waste")]
    found = np.concatenate([[reward], totals, left]) / num_envs
    error = expected.std(axis=0) / np.sqrt(len(expected))
    np.testing.assert_array_less(np.abs(found - expected.mean(axis=0)), 5 * error + 1e-9)  # some are always 0

    # The buffers hold the last step of every game.
    assert saved[0]["time"] == steps - 2 * (120 + 1)  # an episode and the step in which the next one starts
    for game in (0, 1, num_envs - 1):
        state = env.initial_state(jax.random.key(0), params).replace(**saved[game])
        observation, visible = env.observe(state)
        np.testing.assert_array_equal(outcome.observation[game], observation)
        np.testing.assert_array_equal(outcome.visible[game], visible)


def test_actions_of_another_number_of_games_are_refused():
    native = c_games.NativeGame(make("cleanup", num_agents=5))
    with pytest.raises(ValueError, match=r"\(7, 3, 5\); allowed: \(steps, 4, 5\)"):
        native.play(*native.reset(4, seed=0), np.zeros((7, 3, 5), np.int32))


def test_episodes_start_anywhere():
    env = make("cleanup", num_agents=5)
    native = c_games.NativeGame(env)
    games = 1000
    states, _ = native.reset(games, seed=1)
    saved = [native.save(states, game) for game in range(games)]
    position = np.stack([state["position"] for state in saved])
    at_start = (position[:, :, None] == env.start_cells).all(axis=-1)  # bool[games,N,S]
    assert at_start.any(axis=2).all()
    assert at_start.sum(axis=1).max() == 1  # on distinct cells
    expected = games / len(env.start_cells)
    assert np.abs(at_start.sum(axis=0) - expected).max() < 5 * np.sqrt(expected)
    quarters = np.bincount(np.concatenate([state["heading"] for state in saved]), minlength=4)
    assert np.abs(quarters - games * 5 / 4).max() < 5 * np.sqrt(games * 5 / 4)
    initial = env.initial_state(jax.random.key(0), env.default_params)
    assert all((state["waste"] == initial.waste).all() and not state["apples"].any() for state in saved)


@pytest.mark.parametrize(
    ("options", "part"),
    [({"waste_rule": "bernoulli"}, "waste_rule"), ({"view_radius": 3}, "view_radius"), ({"view": "reference"}, "view")],
)
def test_other_rules_are_refused(options, part):
    with pytest.raises(ConfigError, match=part):
        c_games.NativeGame(make("cleanup", **options))


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ConfigError, match="no C compiler"):
        c_games.NativeGame(make("harvest"), flags=("-O0",))  # not compiled before


def test_a_player_goes_on_from_call_to_call():
    play = c_games.player("harvest", num_agents=2, num_envs=3, steps=4)
    rewards, metrics = zip(*(play() for _ in range(20)), strict=True)
    assert len(set(rewards)) > 1 and np.sum(metrics) > 0
