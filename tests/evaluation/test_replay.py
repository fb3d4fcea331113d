"""Replayed steps: with the same actions they equal the episode, and games played by hand confirm the influence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError
from tests.influence.worlds import compare


def test_the_world_that_was_is_one_of_the_worlds(trace):
    for time in (0, 7, 19):
        state, after = trace.world(time, trace.actions[time])
        expected = jax.tree.map(lambda x, t=time: x[t + 1], trace.states)
        for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(after.reward, trace.rewards[time])
        np.testing.assert_array_equal(after.metrics["fires"], trace.metrics["fires"][time])


def test_real_influence_is_that_of_worlds_played_by_hand(runs, trace):
    policy = runs["moa"].policy(0)
    for time, k, j in np.argwhere(trace.real_influence > 0)[[0, -1]]:
        agent_state = jax.tree.map(lambda x, t=time: x[t + 1], trace.team.agent_states)
        answers = []
        for action in range(8):
            actions = trace.actions[time].copy()
            actions[k] = action
            state, _ = trace.world(time, actions)
            then = agent_state.replace(memory=jnp.asarray(actions)[None])
            answers.append(policy.at(state, then).probabilities[j])
        expected, _ = compare(answers, np.exp(trace.log_policy[time, k]), trace.actions[time, k])
        np.testing.assert_allclose(trace.real_influence[time, k, j], expected, rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("model", ["basic", "communication"])
def test_what_real_policies_say_is_real(runs, model):
    trace = runs[model].trace(real=True)
    np.testing.assert_array_equal(trace.influence, trace.real_influence)
    assert (trace.influence > 0).any()


@pytest.mark.slow
def test_what_agents_measure_by_interventions_is_a_part_of_what_is_real(runs):
    """In every step it is all of the drawn agent's influence, and nobody else's."""
    trace = runs["intervention"].trace(0, seed=1, real=True)
    acts = trace.influence.any(axis=2)
    assert (acts.sum(axis=1) <= 1).all() and acts.any(axis=0).sum() > 1 and trace.influence.max() > 0.02
    np.testing.assert_allclose(trace.influence[acts], trace.real_influence[acts], atol=1e-6, rtol=1e-4)
    idle = ~acts.any(axis=1)
    assert (trace.real_influence[idle].sum(axis=2).min(axis=1) == 0).all()  # the agent drawn had none


def test_refusals(trace):
    with pytest.raises(ConfigError, match=r"actions is \[1, 2\]; allowed: 3 whole numbers"):
        trace.world(0, [1, 2])
    with pytest.raises(ConfigError, match="time is 20; allowed: whole numbers from 0 to 19"):
        trace.world(20, [0, 0, 0])
