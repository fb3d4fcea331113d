"""The rules of Cleanup in edge cases: randomness, growth, and rewards."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import cleanup, make
from tests.envs.helpers import (
    HORIZON,
    assert_chance_is_what_it_says,
    assert_lawful,
    assert_nothing_but_the_horizon_ends_it,
    assert_refused,
    assert_what_a_shot_costs,
    digest,
    fields,
    play_at_random,
)

LAST = np.float32(1 - 2**-24)  # the largest uniform number


@pytest.fixture(scope="module", params=["cleanup", "cleanup-mp"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def env(name):
    return make(name, horizon=HORIZON)


@pytest.fixture(scope="module")
def played(env):
    return play_at_random(env, 0)


def test_state_offers_the_public_fields(env, played):
    (state, _), _ = played
    n, shape = env.spec.num_agents, env.walls.shape
    assert fields(state) == {
        "position": ((n, 2), np.int32),
        "heading": ((n,), np.int32),
        "apples": (shape, np.bool_),
        "waste": (shape, np.bool_),
        "beams": (shape, np.uint8),
        "time": ((), np.int32),
    }


def test_nothing_but_the_horizon_ends_it(played):
    assert_nothing_but_the_horizon_ends_it(played)


def test_reward_is_apples_minus_fires_minus_fifty_per_hit(played):
    _, (_, rest) = played
    metrics = rest.metrics
    np.testing.assert_array_equal(rest.reward, metrics["apples"] - metrics["fires"] - 50 * metrics["hits"])
    assert metrics["fires"].sum() > 0


def test_every_world_has_its_own_price_of_a_shot(name):
    assert_what_a_shot_costs(name, lambda metrics: metrics["apples"] - 50 * metrics["hits"])


def test_map_stays_lawful(env, played):
    _, (states, _) = played
    assert_lawful(env, states)
    assert not (states.waste & ~env.river).any()


HASHES = {"cleanup": "081d7524b4de6a0f", "cleanup-mp": "81574fdf6ad123c5"}


def test_golden_hash_of_100_steps(name, env):
    """Detects any change of dynamics, randomness or pixels; record intended changes here."""
    # So that apples and waste grow from the start.
    params = env.default_params.replace(depletion_threshold=jnp.float32(0.9))
    _, (states, rest) = play_at_random(env, 1, params)
    seen = rest.observation, rest.reward, rest.visible
    assert digest(states.position, states.apples, states.waste, *seen) == HASHES[name]


def test_noise_is_what_it_says():
    env = make("cleanup")
    noise = jax.jit(jax.vmap(env.sample_noise, (0, None)))(
        jax.random.split(jax.random.key(1), 2000), env.default_params
    )
    assert_chance_is_what_it_says(env, noise, (noise.apple, noise.waste_coin, noise.waste_pick))
    assert abs(np.corrcoef(noise.waste_coin, noise.waste_pick)[0, 1]) < 0.1


@functools.partial(jax.jit, static_argnums=0)
def grow(env, apples, waste, position, noise):
    return env.grow(apples, waste, position, noise, env.default_params)


RIVER = ("PRRRR", " BBB ")  # four river cells, three apple sites


def waste_after(env, waste, coin, pick):
    noise = env.sample_noise(jax.random.key(0), env.default_params)
    noise = noise.replace(waste_coin=jnp.float32(coin), waste_pick=jnp.float32(pick), apple=jnp.ones_like(noise.apple))
    apples = jnp.zeros(env.walls.shape, bool)
    return np.asarray(grow(env, apples, jnp.asarray(waste), jnp.array([[0, 2]]), noise)[1])


def test_lottery_coin_is_compared_with_one_minus_half_to_the_clean_cells():
    env = make("cleanup", layout=RIVER, num_agents=1)
    for dirty_cells in (0, 1):  # k = 4 and 3 clean cells; with two of four dirty nothing grows
        waste = np.zeros((2, 5), bool)
        waste[0, 1 : 1 + dirty_cells] = True
        border = np.float32(1 - 2.0 ** -(4 - dirty_cells))
        assert waste_after(env, waste, np.nextafter(border, np.float32(0)), 0).sum() == dirty_cells + 1
        assert waste_after(env, waste, border, 0).sum() == dirty_cells
    assert waste_after(env, waste | (env.river & (np.arange(5) < 3)), 0, 0).sum() == 2


def test_bernoulli_coin_is_compared_with_one_half():
    env = make("cleanup-mp", layout=RIVER, num_agents=1)
    waste = np.zeros((2, 5), bool)
    assert waste_after(env, waste, np.nextafter(np.float32(0.5), np.float32(0)), 0).sum() == 1
    assert waste_after(env, waste, 0.5, 0).sum() == 0


def test_waste_pick_chooses_among_clean_cells_in_row_major_order():
    """Agent and pick at every border; a product that rounds up to k still picks the last cell."""
    env = make("cleanup", layout=RIVER, num_agents=1)
    waste = np.zeros((2, 5), bool)
    waste[0, 2] = True  # clean are columns 1, 3 and 4; the agent stands on the waste
    for pick, column in ((0, 1), (0.33, 1), (0.34, 3), (0.66, 3), (0.67, 4), (LAST, 4), (1.0, 4)):
        new = waste_after(env, waste, 0, pick) & ~waste
        np.testing.assert_array_equal(np.argwhere(new), [[0, column]])


def test_apples_grow_below_their_rate_and_not_under_agents():
    env = make("cleanup", layout=RIVER, num_agents=1)
    noise = env.sample_noise(jax.random.key(0), env.default_params)
    below, border = np.nextafter(np.float32(0.05), np.float32(0)), np.float32(0.05)
    none = jnp.zeros(env.walls.shape, bool)
    noise = noise.replace(apple=jnp.array([below, border, below]), waste_coin=LAST)
    apples, waste = grow(env, none, none, jnp.array([[1, 3]]), noise)
    np.testing.assert_array_equal(np.argwhere(apples), [[1, 1]])
    assert not waste.any()


def test_waste_may_grow_under_an_agent():
    env = make("cleanup", layout=RIVER, num_agents=1)
    assert waste_after(env, np.zeros((2, 5), bool), 0, 0.3)[0, 2]


@pytest.mark.parametrize("threshold", [0.4, 0.3, 0.7, 0.25])
def test_threshold_is_exact_at_equality(threshold):
    """With ``w`` of ``n`` cells dirty nothing grows iff w / n >= threshold, decided in integers, for all n that matter."""
    percent = round(threshold * 100)

    params = make("cleanup").default_params.replace(depletion_threshold=jnp.float32(threshold))
    n, w = np.meshgrid(np.arange(1, 700), np.arange(0, 700), indexing="ij")
    apple, waste = jax.jit(cleanup.growth_rates)(w, n, params)
    inside = w <= n
    expected = 100 * w >= percent * n
    np.testing.assert_array_equal((apple == 0)[inside], expected[inside])
    np.testing.assert_array_equal((waste == 0)[inside], expected[inside])
    assert (np.asarray(apple)[inside] >= 0).all()


def test_apple_rate_falls_in_a_line_to_the_threshold():
    env = make("cleanup")
    waste = np.zeros(env.walls.shape, bool)
    rates = jax.jit(lambda waste: cleanup.growth_rates(waste.sum(), env.river.sum(), env.default_params))
    np.testing.assert_array_equal(jnp.stack(rates(waste)), np.array([0.05, 0.5], np.float32))
    cells = np.argwhere(env.river)
    waste[tuple(cells[:47].T)] = True
    apple, one_half = rates(waste)
    np.testing.assert_allclose(apple, 0.05 * (1 - 47 / 119 / 0.4), rtol=1e-5)
    assert one_half == 0.5
    waste[tuple(cells[47])] = True
    np.testing.assert_array_equal(jnp.stack(rates(waste)), 0)


def test_reset_grows_once_on_a_clean_map():
    """On a map with a clean river the first state already may hold apples, and one waste cell."""
    env = make("cleanup", layout=("PPRRRR", "BBBBBB"), num_agents=2)
    reset = jax.jit(jax.vmap(env.initial_state, (0, None)))
    states = reset(jax.random.split(jax.random.key(3), 4000), env.default_params)
    waste = np.asarray(states.waste).sum(axis=(1, 2))
    assert set(waste) == {0, 1}
    assert abs(waste.mean() - (1 - 2**-4)) < 5 * np.sqrt(1 / 16 * 15 / 16 / 4000)
    apples = np.asarray(states.apples).sum(axis=(1, 2)).mean() / 6
    assert abs(apples - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 24000)


def test_an_unknown_rule_is_refused():
    assert_refused("cleanup", {"waste_rule": "none"}, ["waste_rule is 'none'", "lottery, bernoulli"])
