"""A sweep is its runs, whether it was stopped or not."""

import dataclasses
import json
import os
import shutil
import signal

import numpy as np
import pytest

import influence_jax
from influence_jax.analysis import compare, plot_learning_curves
from influence_jax.config import ConfigError
from influence_jax.runtime import run as runs
from influence_jax.sweeps import sweep as sweeps
from influence_jax.sweeps.resume import resume
from influence_jax.sweeps.space import make_space
from influence_jax.sweeps.sweep import Record
from tests.learner.worlds import probe_config
from tests.runtime.runs import stop_at

SPACE = {"grid": {"learning_rate": [1e-3, 3e-4], "network.critic": ["shared", "separate"]}}


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
    assert [row["network.critic"] for row in rows[::2]] == ["shared", "separate"] * 2
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
    assert len(found.runs) == 2 and found.runs[-1].config.network.critic == "separate"  # read when they are asked for
    assert [run.update for run in found.runs[:5]] == [record.update for record in found.records]
    with pytest.raises(ConfigError, match="metric is 'nonsense'"):
        found.best(1, "nonsense")


def test_a_sweep_that_was_stopped_goes_on(small, whole, tmp_path):
    stopped = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", callback=stop_at(20))
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


def test_a_program_that_needs_more_memory_ends_nothing(tmp_path, monkeypatch):
    """It is named, the others are trained, and the next go tries it again."""
    space = {"grid": {"learner.num_envs": [2, 4], "learning_rate": [1e-3, 3e-4]}}
    run_program = sweeps.run_program

    def too_large(program, *args):
        if program.learner.config.learner.num_envs == 2:
            raise MemoryError("seeds is 1, too many")
        return run_program(program, *args)

    with (
        monkeypatch.context() as patch,
        pytest.warns(UserWarning, match="program 0 cannot be trained here: seeds is 1"),
    ):
        patch.setattr(sweeps, "run_program", too_large)
        found = influence_jax.sweep(tiny_probe(), **space, out=tmp_path / "x")
    assert not found.finished and [record.update for record in found.records] == [0, 6]
    loaded = influence_jax.load(tmp_path / "x")
    assert {row["trial"] for row in loaded.rows()} == {2, 3} and len(loaded.runs) == 1
    with monkeypatch.context() as patch:
        patch.setattr(sweeps, "run_program", lambda program, *args: Record(99, {}))
        assert resume(tmp_path / "x").finished


def test_what_was_edited_is_named(whole, tmp_path):
    """A value that no run was trained with would stand in every table."""
    shutil.copytree(whole[1], tmp_path / "x")
    file = tmp_path / "x" / "sweep.json"
    file.write_text(file.read_text().replace("0.0003", "0.5"))
    with pytest.raises(ConfigError, match=r"000' holds a run under another configuration: members is"):
        influence_jax.load(tmp_path / "x")


def test_a_sweep_that_is_made_longer_is_read_on_the_way(tmp_path):
    """The second of its programs is as long as before, until its turn comes."""
    space = {"grid": {"learner.num_envs": [2, 4], "learning_rate": [1e-3, 3e-4]}}
    influence_jax.sweep(tiny_probe(), **space, out=tmp_path / "x")
    stopped = resume(tmp_path / "x", total_steps=240, callback=stop_at(14))
    assert stopped.records[0].saved and [record.update for record in influence_jax.load(tmp_path / "x").records] == [
        14,
        6,
    ]


def test_a_stop_before_the_first_update_is_no_failure_to_save(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "_timed", lambda program, stop: (None, 0.0))  # it was being compiled
    (record,) = influence_jax.sweep(tiny_probe(), listed=[{"discount": 0.9}], out=tmp_path / "x").records
    assert record.update == 0 and record.saved


def test_a_tidy_table(whole):
    table = whole[0].table()
    assert len(table) == 4 * 2 * 4 and list(table["trial"].unique()) == [0, 1, 2, 3]
    one = table[(table["trial"] == 2) & (table["seed"] == 1)]
    np.testing.assert_array_equal(one["entropy"], whole[0].runs[0].metrics["entropy"][:, 3])


def test_what_is_no_sweep_is_refused(small, whole, tmp_path):
    with pytest.raises(ConfigError, match="is not empty"):
        influence_jax.sweep(small, **SPACE, out=whole[1])
    for text in ("{", "[]", '{"format_version": 9}', '{"format_version": 1}'):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(ConfigError, match=r"sweep.json"):
            influence_jax.load(tmp_path)
    about = json.loads((whole[1] / "sweep.json").read_text())
    about["config"]["env"]["name"] = "evil:Game"
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    with pytest.raises(ConfigError, match="names code outside of this package"):
        influence_jax.load(tmp_path)


def test_one_name_for_one_thing(whole):
    """A hyper-parameter by its own name, wherever it is read; what the schedule makes of it by another one."""
    found, out = whole
    assert list(found.space.settings()[0]) == ["learning_rate", "network.critic"]
    members = json.loads((out / "programs" / "000" / "members.json").read_text())
    assert [member["learning_rate"] for member in members] == [1e-3, 1e-3, 3e-4, 3e-4]
    table = found.table()
    assert table.groupby(["learning_rate", "network.critic"]).ngroups == 4
    rows = found.rows()
    assert [row["learning_rate"] for row in rows] == [1e-3] * 4 + [3e-4] * 4
    end = found.programs[0].learner.config.hyperparams.learning_rate_end
    for row in rows:  # the mean over the last of 4 chunks of 10 updates
        assert row["current_learning_rate"] == pytest.approx(
            row["learning_rate"] + 34.5 / 40 * (end - row["learning_rate"])
        )
    again = make_space(found.programs[0].learner.config, {"hyperparams.learning-rate": [1.0]})
    assert list(again.grid) == ["learning_rate"]


def test_trials_that_hardly_differ_have_curves_of_their_own(whole):
    """Settings are told apart by their values, whatever their labels round to."""
    found, _ = whole
    near = [0.00123123, 0.00123456, 0.9999, 0.99996]
    listed = [trial | {"learning_rate": rate} for trial, rate in zip(found.space.settings(), near, strict=True)]
    close = dataclasses.replace(found, space=dataclasses.replace(found.space, grid={}, listed=tuple(listed)))
    assert len(close.curves(4)) == 4 and close.curves(4).keys() == compare(close).curves.keys()
    same = dataclasses.replace(found, space=dataclasses.replace(found.space, grid={}, listed=({"discount": 0.9},) * 4))
    assert list(same.curves(4, "entropy"))[1] == "discount 0.9 (2)"


def test_a_sweep_and_its_directory_are_compared_trial_by_trial(whole):
    found, out = whole
    by_trial = compare(found, "entropy")
    assert [row["group"] for row in by_trial.rows] == [
        "learning_rate 0.001, network.critic shared",
        "learning_rate 0.0003, network.critic shared",
        "learning_rate 0.001, network.critic separate",
        "learning_rate 0.0003, network.critic separate",
    ]
    rows = found.rows()
    for trial, score in zip((0, 2, 1, 3), by_trial.scores.values(), strict=True):
        np.testing.assert_allclose(score, [row["entropy"] for row in rows if row["trial"] == trial])
    assert repr(compare(str(out), "entropy")) == repr(by_trial)
    rates = compare(out, "entropy", by="learning_rate")  # of both programs
    assert {name: len(score) for name, score in rates.scores.items()} == {
        "learning_rate 0.001": 4,
        "learning_rate 0.0003": 4,
    }
    np.testing.assert_allclose(rates.scores["learning_rate 0.001"], [row["entropy"] for row in rows[:4]])
    places = [out / "programs" / f"00{i}" for i in (0, 1)]
    assert list(compare(places, "entropy").scores) == list(map(str, places))
    assert len(plot_learning_curves(str(out), "entropy").axes[0].get_legend().get_texts()) == 4


def test_the_best_of_an_unfinished_sweep_say_so(small, tmp_path):
    stopped = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", callback=stop_at(20))
    for found in (stopped, influence_jax.load(tmp_path / "x")):
        with pytest.warns(UserWarning, match="is not finished: 0 of 2 programs are, and 2 of 4 trials have results"):
            assert len(found.best(4, "entropy")) == 2


def test_a_trial_that_fails_in_the_end_is_not_the_best(whole):
    """At the last log point, after whose beginning all its numbers were high, and finite."""
    found, _ = whole
    record = found.records[0]
    metrics = record.metrics | {"entropy": record.metrics["entropy"] + np.array([9, 9, 0, 0])}
    failing = metrics | {"failed": np.array([[0] * 4] * 3 + [[0, 1, 0, 0]])}
    best, last = (
        dataclasses.replace(found, records=[dataclasses.replace(record, metrics=x), found.records[1]]).best(
            4, "entropy"
        )
        for x in (metrics, failing)
    )
    assert best[0]["trial"] == 0 == last[-1]["trial"] and np.isnan(last[-1]["entropy"])


def test_a_metric_or_an_argument_that_is_not_there_is_named(whole):
    found, out = whole
    with pytest.raises(
        ConfigError, match=r"metric is 'colective_return'; allowed: .*, entropy.* mean 'collective_return'"
    ):
        found.best(1, "colective_return")
    with pytest.raises(
        ConfigError, match=r"update is 99999 for .* holds a sweep; allowed with it is the directory of one"
    ):
        influence_jax.load(out, update=99999)
    with pytest.raises(ConfigError, match=r"learner is a Learner for .* holds a sweep"):
        influence_jax.load(out, learner=found.programs[0].learner)


def tiny_probe(**changes):
    return probe_config(model="independent", total_steps=120, log_interval=1, **changes)


DEAD, DYING = {"learning_rate": 1e38}, {"learning_rate": 0.0, "learning_rate_end": 1e38}
HEALTHY = {"learning_rate": 1e-3, "learning_rate_end": 1e-5}
TEN = [
    HEALTHY | {"entropy_coef": 0.001 * t} | change
    for t, change in enumerate([DEAD, {}, {}, {}, DYING, {}, DEAD, {}, {}, {}])
]


@pytest.mark.filterwarnings("ignore:member . .* learns no more")
def test_programs_that_die_end_nothing(tmp_path):
    """Of ten, two at once and one in the middle: trained, merged, resumed, tabulated, and the best of the others named."""
    shards = [tmp_path / str(i) for i in range(10)]
    for i, place in enumerate(shards):
        assert influence_jax.sweep(tiny_probe(), listed=TEN, shard=(i, 10), out=place).finished
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
    grown = influence_jax.sweep(tiny_probe(seeds=2), listed=TEN, out=tmp_path / "whole", resume=True)
    assert grown.finished and grown.records[-1].failed == [0, 4, 6]  # beside others, which go on
    assert [row["trial"] for row in grown.rows()[::2]] == [*range(10)]
    curve = grown.curves(10, "entropy")["learning_rate 0, learning_rate_end 1e+38, entropy_coef 0.004"]
    np.testing.assert_array_equal(np.isfinite(curve["entropy"]), [[True] * 2] * 2 + [[False] * 2] * 4)


def test_a_sweep_may_grow(tmp_path):
    """In seeds, trials and steps; what it had is what it was."""
    grid, out = {"learning_rate": [1e-3, 3e-4]}, tmp_path / "x"
    first = influence_jax.sweep(tiny_probe(), grid=grid, out=out, resume=True)  # there is nothing yet
    more = {"learning_rate": [3e-3, 1e-3, 3e-4]}
    grown = influence_jax.sweep(tiny_probe(seeds=2), grid=more, out=out, resume=True)
    members = [list(zip(p.trials, p.hyperparams["seed"].tolist(), strict=True)) for p in grown.programs]
    assert members == [[(1, 0), (2, 0)], [(0, 0), (0, 1)], [(1, 1), (2, 1)]]
    kept = [row for row in grown.rows() if row["trial"] > 0 and row["seed"] == 0]
    assert [row["entropy"] for row in kept] == [row["entropy"] for row in first.rows()]
    loaded = influence_jax.load(out)
    assert str(loaded.rows()) == str(grown.rows()) and loaded.finished
    longer = resume(out, total_steps=240)
    assert [record.update for record in longer.records] == [12, 12, 12] and longer.finished
    assert influence_jax.load(out).programs[0].learner.config.total_steps == 240
    np.testing.assert_array_equal(longer.records[0].metrics["entropy"][:6], first.records[0].metrics["entropy"])
    part = json.loads((out / "programs" / "000" / "run.json").read_text())[-2]
    assert (part["from_update"], part["total_steps"], part["total_steps_before"]) == (6, 240, 120)
    for config, space, words in (
        (tiny_probe(seeds=2), more, "total_steps is 120, was 240"),
        (dataclasses.replace(tiny_probe(), total_steps=240), more, "seeds is 1, was 2"),
        (
            dataclasses.replace(tiny_probe(seeds=2), total_steps=240),
            grid,
            "a trial of learning_rate 0.003 was begun",
        ),
    ):
        with pytest.raises(ConfigError, match=f"holds another sweep: {words}"):
            influence_jax.sweep(config, grid=space, out=out, resume=True)
