"""Every pair of a matrix plays the episodes that `play` plays."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError
from influence_jax.envs import scripted
from influence_jax.evaluation.cross_play import cross_play
from influence_jax.evaluation.play import play
from tests.evaluation.own_models import Short


def turn(key, env, state):
    del key, state
    return jnp.full(env.spec.num_agents, 5)


def returns(trace, seat):
    """The return of who sits there, and the mean of the others'."""
    found = trace.rewards.sum(axis=0)
    return found[seat], np.delete(found, seat).mean()


def assert_played(matrix, place, trace, seat):
    np.testing.assert_allclose((matrix.returns[place], matrix.company[place]), returns(trace, seat), rtol=1e-5)


@pytest.mark.slow
def test_a_run_a_policy_and_a_player(runs):
    run = runs["visible actions"]
    a, b = run.policy(0), run.policy(1)
    matrix = cross_play({"run": run, "b": b, "turn": turn}, num_episodes=4, seed=7)
    assert matrix.names == ("run", "b", "turn") and matrix.returns.shape == (3, 3, 2, 4)
    assert_played(matrix, (0, 0, 0, 1), play(a, seed=8), 1)
    assert_played(matrix, (0, 1, 0, 1), play([b, a, b], seed=8), 1)
    assert_played(matrix, (1, 0, 0, 3), play([b, a, a], seed=10), 0)
    assert_played(matrix, (0, 1, 1, 1), play(b, seed=12), 1)
    assert_played(matrix, (2, 1, 0, 1), play([b, turn, b], seed=8), 1)
    assert (matrix.returns[2, 2] == 0).all()  # who turns eats nothing, and shoots nobody


@pytest.mark.slow
def test_runs_of_different_kinds(runs):
    moa, basic = runs["moa"], runs["basic"]
    matrix = cross_play([moa, basic], num_episodes=3)
    assert matrix.names == ("harvest-moa", "harvest-basic")
    m, b = moa.policy(1), basic.policy(1)
    assert_played(matrix, (0, 1, 1, 2), play([b, b, m], seed=5), 2)
    assert_played(matrix, (1, 0, 1, 1), play([m, b, m], seed=4), 1)


def test_what_follows_the_end_of_a_game_does_not_count():
    matrix = cross_play([turn], Short(num_agents=2, horizon=10), num_episodes=1)
    assert matrix.returns.item() == matrix.company.item() == 3


def test_all_pairs_play_one_game(runs):
    policy = runs["visible actions"].policy(0)
    member = policy.member
    cheap = dataclasses.replace(
        policy, member=member.replace(env_params=member.env_params.replace(hit_penalty=jnp.float32(0)))
    )
    matrix = cross_play([cheap, policy, policy], num_episodes=2)
    assert matrix.names == ("harvest-a3c", "harvest-a3c (2)", "harvest-a3c (3)")
    assert (matrix.returns == matrix.returns[0, 0]).all()


def test_refusals(runs):
    moa, talking = runs["moa"], runs["communication"]
    for given, sentence in (
        (
            {"runs": [moa, talking]},
            "runs has 'harvest-moa' and 'harvest-communication', which cannot play together: ag",
        ),
        ({"runs": [moa, 7]}, "runs has 'int' of type int; allowed: runs, policies such as"),
        ({"runs": moa}, "allowed: runs, policies .* several in a list or by names"),
        ({"runs": []}, "runs has no entries; allowed: runs"),
        ({"runs": [scripted.greedy]}, "env is None with players alone; allowed: a game"),
        ({"runs": [moa], "num_episodes": 0}, "num_episodes is 0; allowed: whole numbers from 1"),
        ({"runs": [moa], "params": {"hit_penlty": 0}}, "Did you mean 'hit_penalty'"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            cross_play(**given)
