"""Repeated matrix games pay what their matrices say."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make
from influence_jax.envs.matrix import PAYOFFS

C, D, NONE = 0, 1, 2
GREEN, RED, BLACK = (0, 255, 0), (255, 0, 0), (0, 0, 0)


def slow(payoffs, one, other):
    """The rewards of two agents, looked up in a matrix of rows and columns, and the image of the first."""
    matrix = [payoffs[:2], payoffs[2:]]
    legal = {one, other} <= {C, D}
    colours = {C: GREEN, D: RED}
    image = np.zeros((3, 3, 3), np.uint8)
    image[0], image[2] = colours.get(one, BLACK), colours.get(other, BLACK)
    return [matrix[one][other], matrix[other][one]] if legal else [0, 0], image


@pytest.mark.parametrize("game", PAYOFFS)
def test_every_pair_of_actions(game):
    env = make("matrix", game=game)
    numbers = np.array([PAYOFFS[game], (7, -1, 2.5, 0)], np.float32)
    params = env.default_params.replace(payoffs=jnp.asarray(numbers))
    pairs = np.array(list(itertools.product((C, D, 2, -1), repeat=2)), np.int32)
    start, first = env.reset(jax.random.key(0), env.default_params)
    assert not first.observation.any() and first.visible.tolist() == [[False, True], [True, False]]
    play = jax.vmap(jax.vmap(env.transition, (None, 0, None, None)), (None, None, None, 0))
    state, timestep = jax.jit(play)(start, pairs, (), params)
    for row, payoffs in enumerate(numbers):
        for column, (one, other) in enumerate(pairs.tolist()):
            rewards, image = slow(payoffs, one, other)
            assert timestep.reward[row, column].tolist() == rewards
            np.testing.assert_array_equal(timestep.observation[row, column, 0], image)
            np.testing.assert_array_equal(timestep.observation[row, column, 1], image[::-1])
            assert timestep.metrics["cooperations"][row, column].tolist() == [one == C, other == C]
    assert (state.time == 1).all() and not timestep.last.any()


def test_games_are_what_their_names_say():
    """Reward, sucker, temptation, punishment."""
    orders = {name: "".join("RSTP"[i] for i in np.argsort(-np.array(payoffs))) for name, payoffs in PAYOFFS.items()}
    assert orders == {"prisoners_dilemma": "TRPS", "chicken": "TRSP", "stag_hunt": "RTPS"}
    assert all(payoffs[2] + payoffs[1] < 2 * payoffs[0] for payoffs in PAYOFFS.values() if payoffs[2] < 4)


def test_the_horizon_truncates():
    env = make("matrix", horizon=2)
    state, _ = env.reset(jax.random.key(0), env.default_params)
    ends = []
    for _ in range(2):
        state, timestep = env.step(jax.random.key(0), state, np.zeros(2, int), env.default_params)
        ends.append((bool(timestep.truncated), float(timestep.discount)))
    assert ends == [(False, 1.0), (True, 1.0)]


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"env.game is 'chess'; allowed: prisoners_dilemma, chicken, stag_hunt"):
        make("matrix", game="chess")
