"""A sweep equals its runs, whether or not it was stopped."""

import dataclasses
import json
import os
import shutil
import signal

import numpy as np
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.runtime import run as runs
from influence_jax.sweeps import sweep as sweeps
from influence_jax.sweeps.results import Record
from influence_jax.sweeps.resume import resume
from tests.runtime.runs import stop_at
from tests.sweeps.conftest import SPACE


def test_a_sweep_that_was_stopped_goes_on(small, whole, tmp_path):
    stopped = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", callback=stop_at(2))
    assert not stopped.finished and len(stopped.runs) == 1
    with pytest.raises(ConfigError, match=r"holds another sweep: a trial of learning_rate 0.001, network.critic"):
        influence_jax.sweep(small, grid={"learning_rate": [1.0]}, out=tmp_path / "x", resume=True)
    other = dataclasses.replace(small, hyperparams=small.hyperparams.replace(discount=0.5), seed=1)
    with pytest.raises(
        ConfigError, match=r"hyperparams.discount is 0.5, was 0.99.*; seed is 1, was 0; allowed: the same set"
    ):
        influence_jax.sweep(other, **SPACE, out=tmp_path / "x", resume=True)
    again = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", resume=True)
    loaded = influence_jax.load(tmp_path / "x")
    for found in (again, loaded):
        assert found.finished and found.space == whole[0].space
        for row, wanted in zip(found.rows(), whole[0].rows(), strict=True):
            assert {k: x for k, x in row.items() if x == x} == {k: x for k, x in wanted.items() if x == x}


def test_a_stop_between_two_programs_is_noted(small, tmp_path, monkeypatch):
    """Such as while the second is traced: the signal must not kill the process."""
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


def test_a_program_that_needs_more_memory_ends_nothing(small, tmp_path, monkeypatch):
    """It is named, the others are trained, and the next attempt tries it again."""
    run_program = sweeps.run_program

    def too_large(program, *args):
        if program.learner.config.network.critic == "shared":
            raise MemoryError("seeds is 1, too many")
        return run_program(program, *args)

    with (
        monkeypatch.context() as patch,
        pytest.warns(UserWarning, match="program 0 cannot be trained here: seeds is 1"),
    ):
        patch.setattr(sweeps, "run_program", too_large)
        found = influence_jax.sweep(small, **SPACE, out=tmp_path / "x")
    assert not found.finished and [record.update for record in found.records] == [0, 4]
    loaded = influence_jax.load(tmp_path / "x")
    assert {row["trial"] for row in loaded.rows()} == {1, 3} and len(loaded.runs) == 1
    assert loaded.runs[0].config.network.critic == "separate" and loaded.runs[-1].update == 4
    with monkeypatch.context() as patch:
        patch.setattr(sweeps, "run_program", lambda program, *args: Record(99, {}))
        assert resume(tmp_path / "x").finished


def test_a_sweep_that_is_made_longer_is_read_on_the_way(whole, tmp_path):
    """Its second program keeps the old length until its turn comes."""
    shutil.copytree(whole[1], tmp_path / "x")
    stopped = resume(tmp_path / "x", total_steps=160, callback=stop_at(6))
    loaded = influence_jax.load(tmp_path / "x")
    assert stopped.records[0].saved and [record.update for record in loaded.records] == [6, 4]


def test_a_stop_before_the_first_update_is_no_failure_to_save(small, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_timed", lambda *_: (None, 0.0))  # it was being compiled
    (record,) = influence_jax.sweep(small, listed=[{"discount": 0.9}], out=tmp_path / "x").records
    assert record.update == 0 and record.saved


DEAD, DYING = {"learning_rate": 1e38}, {"learning_rate": 0.0, "learning_rate_end": 1e38}
HEALTHY = {"learning_rate": 1e-3, "learning_rate_end": 1e-5}
TEN = [
    HEALTHY | {"entropy_coef": 0.001 * t} | change
    for t, change in enumerate([DEAD, {}, {}, {}, DYING, {}, DEAD, {}, {}, {}])
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:member . .* learns no more")
def test_programs_that_die_end_nothing(small, tmp_path):
    """Three of ten programs fail, two in a row and one in the middle; the others are trained, merged, resumed and ranked."""
    config = dataclasses.replace(small, seeds=1, total_steps=120)
    shards = [tmp_path / str(i) for i in range(10)]
    for i, place in enumerate(shards):
        assert influence_jax.sweep(config, listed=TEN, shard=(i, 10), out=place).finished
    merged = influence_jax.merge(shards, out=tmp_path / "whole")
    before = {path: path.read_bytes() for path in (tmp_path / "whole").rglob("metrics.*")}
    again = resume(tmp_path / "whole")  # nothing is left to do, and nothing comes alive
    assert before == {path: path.read_bytes() for path in (tmp_path / "whole").rglob("metrics.*")} and len(before) == 20
    for found in (merged, again):
        assert repr(found) == "Sweep of 10 trials, 10 members in 10 programs, 10 finished, 3 trials failed"
        assert found.finished and found.failed == [0, 4, 6]
        assert [record.update for record in found.records] == [1, 6, 6, 6, 3, 6, 1, 6, 6, 6]
        assert [row["trial"] for row in found.rows() if not np.isfinite(row["entropy"])] == [0, 4, 6]
    assert set(merged.table()["trial"]) == set(range(10))
    best = merged.best(10, "entropy")
    assert {row["trial"] for row in best[-3:]} == {0, 4, 6} and np.isfinite([row["entropy"] for row in best[:7]]).all()
    grown = influence_jax.sweep(dataclasses.replace(config, seeds=2), listed=TEN, out=tmp_path / "whole", resume=True)
    assert grown.finished and grown.records[-1].failed == [0, 4, 6]  # beside others, which go on
    assert [row["trial"] for row in grown.rows()[::2]] == [*range(10)]
    curve = grown.curves(10, "entropy")["learning_rate 0, learning_rate_end 1e+38, entropy_coef 0.004"]
    np.testing.assert_array_equal(np.isfinite(curve["entropy"]), [[True] * 2] * 2 + [[False] * 2] * 4)


def test_a_sweep_may_grow(small, tmp_path):
    """In seeds, trials and steps; existing results stay the same."""
    one, grid, out = dataclasses.replace(small, seeds=1), {"learning_rate": [1e-3, 3e-4]}, tmp_path / "x"
    first = influence_jax.sweep(one, grid=grid, out=out, resume=True)  # there is nothing yet
    more = {"learning_rate": [3e-3, 1e-3, 3e-4]}
    grown = influence_jax.sweep(small, grid=more, out=out, resume=True)
    members = [list(zip(p.trials, p.hyperparams["seed"].tolist(), strict=True)) for p in grown.programs]
    assert members == [[(1, 0), (2, 0)], [(0, 0), (0, 1)], [(1, 1), (2, 1)]]
    kept = [row for row in grown.rows() if row["trial"] > 0 and row["seed"] == 0]
    assert [row["entropy"] for row in kept] == [row["entropy"] for row in first.rows()]
    loaded = influence_jax.load(out)
    assert str(loaded.rows()) == str(grown.rows()) and loaded.finished
    longer = resume(out, total_steps=160)
    assert [record.update for record in longer.records] == [8, 8, 8] and longer.finished
    assert influence_jax.load(out).programs[0].learner.config.total_steps == 160
    np.testing.assert_array_equal(longer.records[0].metrics["entropy"][:4], first.records[0].metrics["entropy"])
    part = json.loads((out / "programs" / "000" / "run.json").read_text())[-2]
    assert (part["from_update"], part["total_steps"], part["total_steps_before"]) == (4, 160, 80)
    for config, space, words in (
        (small, more, "total_steps is 80, was 160"),
        (dataclasses.replace(one, total_steps=160), more, "seeds is 1, was 2"),
        (dataclasses.replace(small, total_steps=160), grid, "a trial of learning_rate 0.003 was begun"),
    ):
        with pytest.raises(ConfigError, match=f"holds another sweep: {words}"):
            influence_jax.sweep(config, grid=space, out=out, resume=True)
