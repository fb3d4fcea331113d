"""A run ends when it should, and a member that cannot continue does not affect the others."""

import dataclasses
import os
import signal

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax.analysis import load_metrics
from influence_jax.runtime import loop
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.run import resume
from influence_jax.runtime.signals import SIGNALS
from tests.runtime.runs import assert_same, stop_at


def test_a_run_in_which_nobody_can_learn_ends(tiny, tmp_path):
    broken = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(learning_rate=1e38))
    with pytest.warns(
        UserWarning, match=r"member \d \(seed \d\) learns no more after 0 updates, where its loss or gradient"
    ):
        with pytest.raises(
            FloatingPointError, match=r"no member can learn any more: member 0 \(seed 0\) learns no more"
        ):
            influence_jax.train(broken, out=tmp_path / "run")
    with pytest.raises(FloatingPointError, match="no member can learn any more: member 0"):
        resume(tmp_path / "run", total_steps=2.4e3)  # at once: nobody comes alive, and nothing is recorded
    assert load_metrics(tmp_path / "run")["update"].tolist() == [[10, 10]]
    run = influence_jax.load(tmp_path / "run")
    assert run.finished and run.update == 10
    assert [failure["update"] for failure in run.failures] == [0, 0]
    assert np.isfinite(run.state.params["action_head"]["bias"]).all()


def test_a_member_that_diverges_is_frozen_and_another_never_notices(tiny, tmp_path):
    """Also across a checkpoint and a resume."""
    healthy = influence_jax.train(tiny, hyperparams={"learning_rate": np.array([1e-3, 3e-3])})
    with pytest.warns(UserWarning, match=r"member 0 \(seed 0, learning_rate 1e\+38\) learns no more"):
        rates = {"learning_rate": np.array([1e38, 3e-3])}
        influence_jax.train(tiny, hyperparams=rates, out=tmp_path / "run", callback=stop_at(50))
    run = resume(tmp_path / "run")
    assert run.finished and [(f["member"], f["update"]) for f in run.failures] == [(0, 0)]
    for a, b in ((run.state.params, healthy.state.params), (run.state.opt_state, healthy.state.opt_state)):
        assert_same(jax.tree.map(lambda x: x[1], a), jax.tree.map(lambda x: x[1], b))
        assert all(np.isfinite(x[0]).all() for x in jax.tree.leaves(a))
    for name in ("collective_return", "policy_loss", "entropy"):
        np.testing.assert_array_equal(run.metrics[name][:, 1], healthy.metrics[name][:, 1])
        assert np.isnan(run.metrics[name][1:, 0]).all()
    assert run.metrics["failed"][:, 0].all() and not run.metrics["failed"][:, 1].any()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_finishes_the_chunk_and_saves(tiny, tmp_path, number):
    def press(point):
        if point.update == 30:
            os.kill(os.getpid(), number)

    before = signal.getsignal(signal.SIGINT)
    run = influence_jax.train(tiny, out=tmp_path / "run", callback=press)
    assert run.update == 30 and influence_jax.load(tmp_path / "run").update == 30
    assert signal.getsignal(signal.SIGINT) is before


def test_an_exception_of_a_callback_loses_nothing(tiny, tmp_path):
    def fail(point):
        if point.update == 30:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        influence_jax.train(tiny, out=tmp_path / "run", callback=fail)
    run = influence_jax.load(tmp_path / "run")
    assert run.update == 30 and run.metrics["update"][-1, 0] == 30


def test_an_exception_of_a_callback_in_another_process_loses_nothing(tiny, tmp_path, monkeypatch):
    """The processes agree at every log point, whether they have a callback or not."""
    asked = []

    def elsewhere(*flags):
        asked.append(flags)
        return (len(asked) == 6,) * len(
            flags
        )  # of each chunk: whether to stop, whether to save, whether a callback raised

    monkeypatch.setattr(loop, "any_process", elsewhere)
    with pytest.raises(ConnectionError, match="the callback of another process raised an exception"):
        influence_jax.train(tiny, out=tmp_path / "run")
    assert influence_jax.load(tmp_path / "run").update == 20


def test_a_log_point_is_shown_in_one_line():
    point = LogPoint(10, 3000, 1200, 360000, 50.0, {"entropy": np.zeros(2), "equality": np.zeros(2)})
    assert repr(point) == "LogPoint after 10 of 3,000 updates, 1,200 environment steps of each member, 2 metrics"
