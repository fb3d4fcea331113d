"""Whole episodes of Stag Hunt are those of a slow game."""

import jax
import numpy as np
import pytest

from influence_jax.envs import make
from tests.envs.fields import STEPS, assert_seen, at, played
from tests.reference import field


def cell(env, number):
    return divmod(int(number), env.walls.shape[1])


@pytest.mark.parametrize(("layout", "radius"), [(("PPP", "PPP"), 1), (("PPPP", "P  P", "PPPP"), 4)])
def test_random_episodes(layout, radius):
    env = make("stag-hunt", layout=layout, view_radius=radius, horizon=STEPS)
    (state, timestep), actions, noise, rest = played(env, seed=radius)
    slow = field.StagHunt(*env.walls.shape)
    slow.agents = [tuple(place) for place in state.position.tolist()]
    slow.stag, *slow.hares = (cell(env, number) for number in state.prey)
    assert len({*slow.agents, slow.stag, *slow.hares}) == 5
    assert_seen(slow, state, timestep, radius)
    total = np.zeros(3)
    for t in range(STEPS):
        rewards, *counts = slow.step(actions[t], noise.place[t])
        state, timestep = at(rest, t)
        assert [cell(env, number) for number in state.prey] == [slow.stag, *slow.hares]
        assert timestep.reward.tolist() == rewards
        assert [timestep.metrics[name].tolist() for name in ("hares", "stags", "maulings")] == counts
        assert_seen(slow, state, timestep, radius)
        total += np.sum(counts, axis=1)
    assert (total > 0).all()


def test_the_stag_comes_to_agents_that_wait_together():
    env = make("stag-hunt")
    state, _ = env.reset(jax.random.key(0), env.default_params)
    state = state.replace(
        position=np.array([[0, 0], [0, 0]]), prey=np.array([7, 20, 24])
    )  # the stag in row 1, column 2
    params = env.default_params.replace(stag_reward=np.float32(9))
    step = jax.jit(env.step)
    rewards = []
    for _ in range(3):
        state, timestep = step(jax.random.key(1), state, np.full(2, 4), params)
        rewards.append(timestep.reward.tolist())
    assert rewards == [[0, 0], [0, 0], [9, 9]]
    assert state.prey[0] not in (0, *state.prey[1:])


def test_wrong_settings():
    with pytest.raises(ValueError, match="layout has 5 cells; at least 6 are allowed"):
        make("stag-hunt", layout=("PPPPP",))
