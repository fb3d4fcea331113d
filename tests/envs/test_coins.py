"""Whole episodes of Coins are those of a slow game."""

import jax
import numpy as np
import pytest

from influence_jax.envs import make
from tests.envs.fields import STEPS, assert_seen, at, played
from tests.envs.helpers import assert_refused
from tests.reference import field


@pytest.mark.parametrize(("layout", "radius"), [(("PPP",) * 3, 1), (("PP P", "PPPP"), 3)])
def test_random_episodes(layout, radius):
    env = make("coins", layout=layout, view_radius=radius, horizon=STEPS)
    (state, timestep), actions, noise, rest = played(env, seed=radius)
    slow = field.Coins(*env.walls.shape)
    slow.agents = [tuple(cell) for cell in state.position.tolist()]
    slow.coin, slow.owner = divmod(int(state.coin), slow.width), int(state.owner)
    assert slow.coin not in slow.agents
    assert_seen(slow, state, timestep, radius)
    total = np.zeros((2, 2))
    for t in range(STEPS):
        rewards, coins, own = slow.step(actions[t], noise.place[t], noise.owner[t])
        state, timestep = at(rest, t)
        assert (divmod(int(state.coin), slow.width), state.owner) == (slow.coin, slow.owner)
        assert timestep.reward.tolist() == rewards
        assert (timestep.metrics["coins"].tolist(), timestep.metrics["own_coins"].tolist()) == (coins, own)
        assert_seen(slow, state, timestep, radius)
        total += [coins, own]
    assert (total[0] > total[1]).all() and (total[1] > 0).all()


def test_chance_is_uniform_over_free_cells_and_colours():
    env = make("coins", layout=("PPP",) * 3)
    draws = 3000
    states = jax.jit(jax.vmap(env.initial_state, (0, None)))(
        jax.random.split(jax.random.key(0), draws), env.default_params
    )
    assert (env.number(states.position) != states.coin[:, None]).all()
    for counts in (np.bincount(states.coin, minlength=9), np.bincount(states.owner, minlength=2)):
        share = 1 / len(counts)
        assert (abs(counts / draws - share) < 5 * np.sqrt(share * (1 - share) / draws)).all()


def test_the_numbers_are_parameters():
    env = make("coins", layout=("PPPP",))
    state, _ = env.reset(jax.random.key(0), env.default_params)
    state = state.replace(position=np.array([[0, 0], [0, 1]]), coin=np.int32(3), owner=np.int32(1))
    params = env.default_params.replace(coin_reward=np.float32(3), theft_penalty=np.float32(7))
    noise = env.sample_noise(jax.random.key(1), params)
    left, stay = 3, 4
    assert env.transition(state, np.array([left, stay]), noise, params)[1].reward.tolist() == [3, -7]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": ("PP",)}, ["layout has 2 cells", "at least 4"]),
        ({"layout": ("P@PPP",)}, ["'@'", "'P' (start cell)"]),
        ({"num_agents": 3}, ["num_agents is 3", "allowed: 2."]),
        ({"beams_visible": True}, ["beams_visible is True", "nobody has a beam"]),
        ({"headings_visible": True}, ["headings_visible is True", "allowed: False"]),
        ({"view": "reference"}, ["view is 'reference'", "egocentric"]),
    ],
)
def test_wrong_settings(options, words):
    assert_refused("coins", options, words)
