"""The rules of Harvest in edge cases: randomness, regrowth, and rewards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make
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


@pytest.fixture(scope="module", params=["harvest", "harvest-mp"])
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


HASHES = {"harvest": "19399636d507790b", "harvest-mp": "bd9e1d3c255d40b9"}


def test_golden_hash_of_100_steps(name, env):
    """Detects any change of dynamics, randomness or pixels; record intended changes here."""
    _, (states, rest) = play_at_random(env, 1)
    assert digest(states.position, states.apples, rest.observation, rest.reward, rest.visible) == HASHES[name]


def test_noise_is_what_it_says():
    env = make("harvest")
    noise = jax.jit(jax.vmap(env.sample_noise, (0, None)))(
        jax.random.split(jax.random.key(1), 2000), env.default_params
    )
    assert_chance_is_what_it_says(env, noise, (noise.apple,))


@pytest.mark.parametrize(("regrowth", "inside"), [("square", 8), ("disc", 12)])
def test_neighbourhoods(regrowth, inside):
    env = make("harvest", layout=("P" * 7,) * 3 + ("PPPAPPP",) + ("P" * 7,) * 3, num_agents=1, regrowth=regrowth)
    count = np.asarray(env.apple_neighbours(jnp.asarray(env.apple_sites)))
    assert count.sum() == inside and count[3, 3] == 0
    assert count[2, 2] == 1 and count[3, 4] == 1
    assert count[1, 3] == (regrowth == "disc") and count[1, 2] == 0


@pytest.mark.parametrize(("others", "rate"), [(0, 0.0), (1, 0.005), (2, 0.02), (3, 0.05), (4, 0.05)])
def test_regrowth_rate_by_neighbours(others, rate):
    env = make("harvest", layout=("PAP", "AAA", "PAP"), num_agents=1)
    apples = np.zeros((3, 3), bool)
    apples[tuple(np.array([(0, 1), (1, 0), (1, 2), (2, 1)])[:others].T)] = True
    params = env.default_params
    noise = env.sample_noise(jax.random.key(0), params)
    regrow = jax.jit(env.grow)
    for number, grows in ((np.nextafter(np.float32(rate), np.float32(-1)), rate > 0), (np.float32(rate), False)):
        numbers = np.full(5, LAST)
        numbers[2] = number  # the centre is the third of five sites
        centre = regrow(jnp.asarray(apples), jnp.array([[0, 0]]), noise.replace(apple=numbers), params)[1, 1]
        assert centre == grows
        assert not regrow(jnp.asarray(apples), jnp.array([[1, 1]]), noise.replace(apple=numbers), params)[1, 1]


def test_an_unknown_neighbourhood_is_refused():
    assert_refused("harvest", {"regrowth": "ring"}, ["regrowth is 'ring'", "square, disc"])
