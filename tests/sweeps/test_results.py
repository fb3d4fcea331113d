"""The results of a sweep: rows, tables, curves and best trials, after training and after loading."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

import influence_jax
from influence_jax.analysis import compare, plot_learning_curves
from influence_jax.config import ConfigError
from influence_jax.sweeps.space import make_space
from tests.runtime.runs import stop_at
from tests.sweeps.conftest import SPACE


def test_rows_are_the_members_of_the_runs(whole):
    found, out = whole
    assert repr(found) == "Sweep of 4 trials, 8 members in 2 programs, 2 finished"
    assert found._repr_html_().count("<tr>") == 1 + 4
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


def test_a_tidy_table(whole):
    table = whole[0].table()
    assert len(table) == 4 * 2 * 4 and list(table["trial"].unique()) == [0, 1, 2, 3]
    one = table[(table["trial"] == 2) & (table["seed"] == 1)]
    np.testing.assert_array_equal(one["entropy"], whole[0].runs[0].metrics["entropy"][:, 3])


def test_one_name_for_one_thing(whole):
    """A hyper-parameter has the same name everywhere, and its scheduled value another one."""
    found, out = whole
    assert list(found.space.settings()[0]) == ["learning_rate", "network.critic"]
    members = json.loads((out / "programs" / "000" / "members.json").read_text())
    assert [member["learning_rate"] for member in members] == [1e-3, 1e-3, 3e-4, 3e-4]
    table = found.table()
    assert table.groupby(["learning_rate", "network.critic"]).ngroups == 4
    rows = found.rows()
    assert [row["learning_rate"] for row in rows] == [1e-3] * 4 + [3e-4] * 4
    end = found.programs[0].learner.config.hyperparams.learning_rate_end
    for row in rows:  # of the last of 4 updates
        assert row["current_learning_rate"] == pytest.approx(
            row["learning_rate"] + 3 / 4 * (end - row["learning_rate"])
        )
    again = make_space(found.programs[0].learner.config, {"hyperparams.learning-rate": [1.0]})
    assert list(again.grid) == ["learning_rate"]


def test_trials_that_hardly_differ_have_curves_of_their_own(whole):
    """Settings are distinguished by their values, not by their rounded labels."""
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
    assert len(plot_learning_curves(str(out), "entropy").legends[0].get_texts()) == 5  # and thin lines


def test_the_best_of_an_unfinished_sweep_say_so(small, tmp_path):
    stopped = influence_jax.sweep(small, **SPACE, out=tmp_path / "x", callback=stop_at(2))
    for found in (stopped, influence_jax.load(tmp_path / "x")):
        with pytest.warns(UserWarning, match="is not finished: 0 of 2 programs are, and 2 of 4 trials have results"):
            assert len(found.best(4, "entropy")) == 2


def test_a_trial_that_fails_in_the_end_is_not_the_best(whole):
    """It fails at the last log point, after high and finite numbers."""
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
    with pytest.raises(ConfigError, match=r"update is 99999 for .* holds a sweep; allowed: the directory of one"):
        influence_jax.load(out, update=99999)
    with pytest.raises(ConfigError, match=r"learner is a Learner for .* holds a sweep"):
        influence_jax.load(out, learner=found.programs[0].learner)


def test_what_was_edited_is_named(whole, tmp_path):
    """Otherwise every table would show a value that no run was trained with."""
    shutil.copytree(whole[1], tmp_path / "x")
    file = tmp_path / "x" / "sweep.json"
    file.write_text(file.read_text().replace("0.0003", "0.5"))
    with pytest.raises(ConfigError, match=r"000' holds a run under another configuration: members is"):
        influence_jax.load(tmp_path / "x")
