"""An episode in full: the same to the bit, whole, and with influence that other worlds confirm."""

import dataclasses
import sys

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError
from influence_jax.evaluation.trace import APART
from tests.influence.worlds import compare


@pytest.fixture(scope="module")
def trace(runs):
    return runs["moa"].trace(0, seed=1, real=True)


def test_the_same_seed_gives_the_same_trace_to_the_bit(runs, trace):
    again, other = (runs["moa"].trace(0, seed=seed, real=True) for seed in (1, 2))
    for name in ("states", "observations", "actions", "rewards", "log_policy", "values", "influence", "real_influence"):
        for x, y in zip(*(jax.tree.leaves(getattr(t, name)) for t in (trace, again)), strict=True):
            np.testing.assert_array_equal(x, y)
    assert (trace.actions != other.actions).any()


def test_shapes_and_what_must_be_zero(trace):
    steps = len(trace)
    assert steps == 20 and trace.states.time.tolist() == list(range(21))
    assert trace.actions.shape == trace.rewards.shape == trace.values.shape == (steps, 3)
    assert trace.observations.shape == (steps, 3, 5, 5, 3) and trace.log_policy.shape == (steps, 3, 8)
    for influence in (trace.influence, trace.real_influence):
        assert influence.shape == (steps, 3, 3) and (influence > 0).any()
        assert not influence[:, range(3), range(3)].any() and not influence[~trace.visible].any()
        assert not influence[-1].any()  # nobody acts any more
    np.testing.assert_allclose(np.exp(trace.log_policy).sum(axis=-1), 1, rtol=1e-5)
    assert repr(trace).startswith("Trace of 20 steps, 3 agents, returns ") and trace.measure == "kl, nats"


def test_the_world_that_was_is_one_of_the_worlds(trace):
    for time in (0, 7, 19):
        state, after = trace.world(time, trace.actions[time])
        expected = jax.tree.map(lambda x, t=time: x[t + 1], trace.states)
        for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(after.reward, trace.rewards[time])


def test_real_influence_is_that_of_worlds_played_by_hand(runs, trace):
    policy = runs["moa"].policy(0)
    for time, k, j in np.argwhere(trace.real_influence > 0)[[0, -1]]:
        agent_state = jax.tree.map(lambda x, t=time: x[t + 1], trace._agent_states)
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
def test_the_answers_of_moments_explain_their_influence(runs, model):
    """What agents measure while they act, by rows of a matrix, against worlds in which they are made to do something else."""
    trace = runs[model].trace(1, seed=4)
    chosen = trace.actions if model == "basic" else trace.messages
    moments = trace.moments(3)
    assert len(moments) == 3
    for moment in moments:
        answers = trace._counterfactual_policies(moment.time)
        k, j = moment.influencer, moment.influencee
        everything = np.exp(np.asarray(answers.alternatives[k, :, j, 0]))
        expected, _ = compare(everything, moment.weights, chosen[moment.time, k])
        np.testing.assert_allclose(moment.influence, expected, rtol=1e-2, atol=1e-5)
        np.testing.assert_allclose(moment.answer, everything[moment.choice], rtol=1e-6)
        np.testing.assert_allclose(moment.other_answer, everything[moment.alternative], rtol=1e-6)
        lag = 0 if model == "basic" else 1
        np.testing.assert_allclose(np.log(moment.answer), trace.log_policy[moment.time + lag, j], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("model", ["basic", "moa"])
def test_a_model_of_ones_own_is_what_it_declares_and_not_its_name(runs, model):
    known, own = (runs[name].trace(0, seed=1, real=True) for name in (model, f"own {model}"))
    assert known.real_influence.max() > 0.05
    for name in ("actions", "influence", "real_influence", "log_policy"):
        np.testing.assert_array_equal(getattr(known, name), getattr(own, name))
    (moment,), (same,) = known.moments(1), own.moments(1)
    assert (moment.time, moment.influencer, moment.influence) == (same.time, same.influencer, same.influence)
    np.testing.assert_array_equal(moment.other_answer, same.other_answer)
    assert (known.channel, known.lag, known.measure) == (own.channel, own.lag, own.measure)


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


def test_frames_and_films(trace, tmp_path):
    first, last = trace.frame(0), trace.frame(20, views=[0], arrows=False, scale=20, title="it is over")
    assert first.width == 9 * 64 and last.width == 9 * 20
    with_arrows, without = (
        np.asarray(trace.frame(1 + trace.moments(1)[0].time, arrows=arrows)) for arrows in (True, False)
    )
    assert (with_arrows != without).any()
    video = trace.video(tmp_path / "new" / "video.gif", fps=5, start=3, stop=7, scale=12)
    assert imageio.imread(tmp_path / "new" / "video.gif", index=None, mode="RGB").shape[0] == len(video.frames) == 4
    np.testing.assert_array_equal(video.frames[2], trace.frame(5, scale=12))
    with pytest.raises(ConfigError, match="start is 9 with stop 9; allowed are parts of 0 to 21"):
        trace.video(start=9, stop=9)
    with pytest.raises(ConfigError, match="time is 21; allowed: whole numbers from 0 to 20"):
        trace.frame(21)


def test_table(trace):
    pandas = pytest.importorskip("pandas")
    table = trace.table()
    assert isinstance(table, pandas.DataFrame) and len(table) == 60
    row = table[(table.step == 4) & (table.agent == 2)].iloc[0]
    assert row.action == trace.env.spec.action_names[trace.actions[4, 2]] and row.reward == trace.rewards[4, 2]
    assert row.influence == pytest.approx(trace.influence[4, 2].sum())
    assert row.influence_received == pytest.approx(trace.influence[4, :, 2].sum())
    assert (row["row"], row.column) == tuple(trace.states.position[4, 2])


def test_refusals(runs, trace, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    alone = dataclasses.replace(trace, influence=0 * trace.influence, real_influence=None)
    with pytest.raises(ConfigError, match="this episode has no moment of influence"):
        alone.moments(1)
    with pytest.raises(ConfigError, match=r"actions is \[1, 2\]; allowed are 3 whole numbers"):
        trace.world(0, [1, 2])
    with pytest.raises(ModuleNotFoundError, match=r"table\(\) needs the package pandas, which is not installed"):
        trace.table()


@pytest.mark.parametrize("model", ["basic", "communication"])
def test_what_real_policies_say_is_real(runs, model):
    trace = runs[model].trace(real=True)
    np.testing.assert_array_equal(trace.influence, trace.real_influence)
    assert (trace.influence > 0).any()
