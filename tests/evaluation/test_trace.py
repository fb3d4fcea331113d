"""The record of an episode: reproducible bit for bit, complete, and correctly described."""

import sys

import jax
import numpy as np
import pytest

from influence_jax.config import ConfigError


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


def test_what_agents_saw_is_what_the_game_shows(trace):
    observations, visible = jax.vmap(trace.env.observe)(jax.tree.map(lambda x: x[:-1], trace.states))
    np.testing.assert_array_equal(observations, trace.observations)
    np.testing.assert_array_equal(visible, trace.visible)


def test_it_says_what_it_is_in_one_line(trace):
    returns = ", ".join(f"{x:g}" for x in trace.rewards.sum(axis=0))
    assert repr(trace) == f"Trace of 20 steps of Harvest, 3 agents, returns {returns}"


@pytest.mark.parametrize("model", ["basic", pytest.param("moa", marks=pytest.mark.slow)])
def test_a_model_of_ones_own_is_what_it_declares_and_not_its_name(runs, model):
    known, own = (runs[name].trace(0, seed=1, real=True) for name in (model, f"own {model}"))
    assert known.real_influence.max() > 0.05
    for name in ("actions", "influence", "real_influence", "log_policy"):
        np.testing.assert_array_equal(getattr(known, name), getattr(own, name))
    (moment,), (same,) = known.moments(1), own.moments(1)
    assert (moment.time, moment.influencer, moment.influence) == (same.time, same.influencer, same.influence)
    np.testing.assert_array_equal(moment.other_answer, same.other_answer)
    assert known.measure == own.measure == "kl, nats"


def test_a_table_needs_pandas(trace, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pandas, which tables need, is not installed"):
        trace.table()
