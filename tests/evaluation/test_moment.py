"""Moments of influence: which ones are selected, and whether their responses explain the influence."""

import dataclasses

import numpy as np
import pytest

from influence_jax.config import ConfigError
from influence_jax.evaluation.moment import APART
from influence_jax.evaluation.replay import policies_after
from tests.influence.worlds import compare


@pytest.mark.parametrize("model", ["basic", "communication"])
def test_the_answers_of_moments_explain_their_influence(runs, model):
    """Influence measured while acting, against games in which agents are forced to act differently."""
    trace = runs[model].trace(1, seed=4)
    chosen = trace.actions if model == "basic" else trace.messages
    moments = trace.moments(3)
    assert len(moments) == 3
    for moment in moments:
        answers = policies_after(trace, moment.time)
        k, j = moment.influencer, moment.influencee
        everything = np.exp(np.asarray(answers.alternatives[k, :, j, 0]))
        expected, _ = compare(everything, moment.weights, chosen[moment.time, k])
        np.testing.assert_allclose(moment.influence, expected, rtol=1e-2, atol=1e-5)
        np.testing.assert_allclose(moment.answer, everything[moment.choice], rtol=1e-6)
        np.testing.assert_allclose(moment.other_answer, everything[moment.alternative], rtol=1e-6)
        lag = 0 if model == "basic" else 1
        np.testing.assert_allclose(np.log(moment.answer), trace.log_policy[moment.time + lag, j], rtol=1e-3, atol=1e-5)


def test_moments_are_the_strongest_and_apart(trace):
    moments = trace.moments(5)
    assert moments[0].influence == trace.real_influence.max()
    strengths = [moment.influence for moment in moments]
    assert strengths == sorted(strengths, reverse=True)
    for a in moments:
        for b in moments:
            same = (a.influencer, a.influencee) == (b.influencer, b.influencee)
            assert a is b or not same or abs(a.time - b.time) >= APART
        assert a.alternative != a.choice


@pytest.mark.parametrize("model", ["basic", "moa", "communication"])
def test_the_other_world_is_that_of_the_alternative(runs, model):
    moment = runs[model].trace(0).moments(1)[0]
    trace, time = moment.trace, moment.time
    actions = trace.actions[time].copy()
    turn = next(turn for turn in (5, 6) if turn != actions[moment.influencee])
    moment = dataclasses.replace(moment, other_answer=np.eye(8)[turn])
    if model != "communication":  # a message changes what the other does in the next step
        actions[moment.influencer] = moment.alternative
    if model == "basic":  # the other acts in the same step
        actions[moment.influencee] = turn
    really, otherwise = moment.worlds()
    expected, _ = trace.world(time, actions)
    for name in ("position", "heading", "apples"):
        np.testing.assert_array_equal(getattr(really, name), getattr(trace.states, name)[time + 1])
        np.testing.assert_array_equal(getattr(otherwise, name), getattr(expected, name))


def test_it_says_what_it_is_in_one_line(runs):
    for model in ("moa", "communication"):
        moment = runs[model].trace(0).moments(1)[0]
        names = moment.trace.env.spec.action_names if model == "moa" else [f"message {x}" for x in range(3)]
        pair = (
            f"agent {moment.influencer}'s influence on agent {moment.influencee} is {moment.influence:.2g} (kl, nats)"
        )
        most = -np.log(moment.weights[moment.choice])
        assert moment.bound == pytest.approx(most) and moment.influence <= moment.bound
        pair += f", {100 * moment.influence / most:.2g} % of its bound"
        choices = f"{names[moment.choice]} instead of {names[moment.alternative]}"
        assert repr(moment) == f"Moment of step {moment.time}: {pair}, {choices}"


@pytest.mark.slow
def test_released_marginal_has_no_bound(runs):
    moment = runs["released moa"].trace(0).moments(1)[0]
    assert moment.bound is None and moment.influence > -np.log(moment.weights[moment.choice])
    assert repr(moment).startswith("Moment of step ") and "bound" not in repr(moment)


def test_without_influence_there_are_none(trace):
    alone = dataclasses.replace(trace, influence=0 * trace.influence, real_influence=None)
    with pytest.raises(ConfigError, match="this episode has no moment of influence"):
        alone.moments(1)
