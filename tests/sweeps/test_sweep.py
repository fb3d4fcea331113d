"""A sweep is its runs, whether it was stopped or not."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.runtime import run as runs
from tests.runtime.runs import stop_at

SPACE = {"grid": {"learning_rate": [1e-3, 3e-4], "network.critic": ["shared", "detached"]}}


@pytest.fixture(scope="module")
def small(tiny):
    return dataclasses.replace(tiny, total_steps=480)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep") / "whole"
    return influence_jax.sweep(small, **SPACE, out=out), out


def test_rows_are_the_members_of_the_runs(whole):
    found, out = whole
    assert repr(found) == "Sweep of 4 trials, 8 members in 2 programs, 2 finished"
    assert found.finished and len(found.runs) == 2 and (out / "programs" / "001" / "config.json").exists()
    rows = found.rows()
    assert [(row["trial"], row["seed"]) for row in rows] == [(t, s) for t in range(4) for s in (0, 1)]
    assert [row["network.critic"] for row in rows[::2]] == ["shared", "detached"] * 2
    shared = found.runs[0]  # trials 0 and 2
    assert rows[5]["entropy"] == pytest.approx(shared.metrics["entropy"][-1, 3])


def test_the_best_are_chosen_by_the_mean_over_seeds(whole):
    found, _ = whole
    rows, best = found.rows(), found.best(2, "entropy")
    means = {t: np.mean([row["entropy"] for row in rows if row["trial"] == t]) for t in range(4)}
    assert [row["trial"] for row in best] == sorted(means, key=means.get, reverse=True)[:2]
    assert best[0]["entropy"] == pytest.approx(max(means.values())) and best[0]["seeds"] == 2
    label, curves = next(iter(found.curves(2, "entropy").items()))
    assert label.startswith("learning_rate 0.00") and curves["entropy"].shape == (4, 2)
    assert len(found.runs) == 2 and found.runs[-1].config.network.critic == "detached"  # read when they are asked for
    assert [run.update for run in found.runs[:5]] == [record.update for record in found.records]
    with pytest.raises(ConfigError, match="metric is 'nonsense'"):
        found.best(1, "nonsense")


def test_a_sweep_that_was_stopped_goes_on(small, whole, tmp_path):
    stopped = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", callback=stop_at(20))
    assert not stopped.finished and len(stopped.runs) == 1
    with pytest.raises(ConfigError, match="holds another sweep or part of one"):
        influence_jax.sweep(small, grid={"learning_rate": [1.0]}, out=tmp_path / "x", resume=True)
    again = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", resume=True)
    loaded = influence_jax.load(tmp_path / "x")
    for found in (again, loaded):
        assert found.finished and found.space == whole[0].space
        for row, wanted in zip(found.rows(), whole[0].rows(), strict=True):
            assert {k: x for k, x in row.items() if x == x} == {k: x for k, x in wanted.items() if x == x}


def test_a_stop_between_two_programs_is_noted(small, tmp_path, monkeypatch):
    """While the second is traced, say: a signal must not end the process."""
    train = runs.train

    def then_signal(*args, **options):
        run = train(*args, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return run

    with monkeypatch.context() as patch:
        patch.setattr(runs, "train", then_signal)
        stopped = influence_jax.sweep(small, **SPACE, out=tmp_path / "x")
    assert not stopped.finished and len(stopped.runs) == 1 and stopped.runs[0].finished
    assert influence_jax.sweep(small, **SPACE, out=tmp_path / "x", resume=True).finished


def test_a_tidy_table(whole):
    table = whole[0].table()
    assert len(table) == 4 * 2 * 4 and list(table["trial"].unique()) == [0, 1, 2, 3]
    one = table[(table["trial"] == 2) & (table["seed"] == 1)]
    np.testing.assert_array_equal(one["entropy"], whole[0].runs[0].metrics["entropy"][:, 3])


def test_what_is_no_sweep_is_refused(small, whole, tmp_path):
    with pytest.raises(ConfigError, match="is not empty"):
        influence_jax.sweep(small, **SPACE, out=whole[1])
    with pytest.raises(ConfigError, match="holds no sweep"):
        influence_jax.sweep(small, **SPACE, out=tmp_path / "none", resume=True)
    for text in ("{", "[]", '{"format_version": 9}', '{"format_version": 1}'):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(ConfigError, match=r"sweep.json"):
            influence_jax.load(tmp_path)
    about = json.loads((whole[1] / "sweep.json").read_text())
    about["config"]["env"]["name"] = "evil:Game"
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    with pytest.raises(ConfigError, match="names code outside of this package"):
        influence_jax.load(tmp_path)
