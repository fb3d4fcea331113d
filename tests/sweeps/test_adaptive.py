"""Optuna chooses the trials and receives the measured results."""

import dataclasses
import json

import numpy as np
import optuna
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.sweeps.resume import resume
from tests.runtime.runs import stop_at
from tests.sweeps.studies import trials

RATES = {"learning_rate": "log:1e-4:1e-2", "env.params.reward": "choice:1,2"}
ASKED = {"trials": 3, "at_once": 2, "metric": "entropy"}


@pytest.mark.slow
def test_it_is_told_what_came_out(small, tmp_path, storage):
    with pytest.raises(ConfigError, match=r"metric is 'entrpy'; allowed: .*Did you mean 'entropy'"):
        influence_jax.search(small, RATES, storage=storage, **ASKED | {"metric": "entrpy"}, out=tmp_path / "x")
    stopped = influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "x", callback=stop_at(2))
    assert not stopped.finished and [trial.state.name for trial in trials(storage)] == ["RUNNING"] * 2
    with pytest.raises(ConfigError, match=r"holds another search: .*random is "):
        influence_jax.search(small, {"discount": "uniform:.9:1"}, storage=storage, out=tmp_path / "x", resume=True)
    about = json.loads((tmp_path / "x" / "sweep.json").read_text())
    del about["config"]["influence"]["listening_loss"]  # as if there had not been such a setting then
    (tmp_path / "x" / "sweep.json").write_text(json.dumps(about))
    found = influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "x", resume=True)
    assert found.finished and [len(run.members) for run in found.runs] == [4, 2]  # of 2 trials and 1, 2 seeds
    rows = influence_jax.load(tmp_path / "x").rows()
    assert [(row["trial"], row["entropy"]) for row in rows] == [(row["trial"], row["entropy"]) for row in found.rows()]
    for number, trial in enumerate(trials(storage)):
        mine = [row for row in rows if row["trial"] == number]
        assert trial.value == pytest.approx(np.mean([row["entropy"] for row in mine])) and len(mine) == 2
        assert trial.params == {name: mine[0][name] for name in trial.params} and len(trial.params) == 2
    other = dataclasses.replace(small, hyperparams=small.hyperparams.replace(discount=0.5))
    with pytest.raises(
        ConfigError, match=r"whose trials measure something else: hyperparams.discount is 0.5, was 0.99"
    ):
        influence_jax.search(other, RATES, storage=storage, **ASKED | {"trials": 9}, out=tmp_path / "y")
    with pytest.raises(ConfigError, match="trials is 3, and the study 'influence_jax' has as many; allowed: more"):
        influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "y")
    assert not (tmp_path / "y").exists()
    more = influence_jax.search(small, RATES, storage=storage, **ASKED | {"trials": 4}, out=tmp_path / "y")
    assert len(more.rows()) == 2 and len(trials(storage)) == 4


@pytest.mark.parametrize(
    "random, options, sentence",
    [
        ({"network.critic": "choice:shared,separate"}, {}, "random has network.critic, by which programs differ"),
        ({"discount": "uniform:0.9:1.1"}, {}, r"hyperparams\['discount'\] is 1.1; allowed: numbers from 0 to 1"),
        ({}, {}, "grid and random are empty"),
        (RATES, {"at_once": 0}, "at_once is 0; allowed: whole numbers from 1"),
        (RATES, {"storage": "nonsense://x"}, "storage is 'nonsense://x', which cannot be used"),
    ],
)
def test_what_cannot_be_searched_is_refused(small, tmp_path, storage, random, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        influence_jax.search(small, random, **{"storage": storage} | options, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_metric_that_is_never_measured_ends_the_search(small, tmp_path, storage):
    """After as many failed trials as were requested, and again on resuming. In this game, nobody is ever alone."""
    options = {"storage": storage, "metric": "entropy_alone", "trials": 2, "at_once": 1, "out": tmp_path / "x"}
    for again in (False, True):
        with pytest.raises(FloatingPointError, match=r"2 trials failed.* has no entropy_alone in the end"):
            influence_jax.search(small, {"learning_rate": "log:1e-4:1e-2"}, **options, resume=again)
        assert [trial.state.name for trial in trials(storage)] == ["FAIL", "FAIL"]


@pytest.mark.filterwarnings("ignore:member . .* learns no more")
def test_what_fails_is_asked_for_again(small, tmp_path, storage):
    """Until as many trials have failed as were requested."""
    options = {"storage": storage, "metric": "entropy", "trials": 3, "at_once": 1}
    found = influence_jax.search(small, {"learning_rate": "choice:1e38,0.001"}, **options, seed=1, out=tmp_path / "x")
    states = [trial.state.name for trial in trials(storage)]
    assert states.count("COMPLETE") == 3 and 0 < states.count("FAIL") < 3 and found.finished
    failed = [row["trial"] for row in found.rows() if np.isnan(row["entropy"])]
    assert failed == [trial for trial in found.failed for _ in range(small.seeds)]
    with pytest.raises(FloatingPointError, match="3 trials failed, as many as are wanted"):
        influence_jax.search(small, {"learning_rate": "choice:1e38"}, **options, study="dead", out=tmp_path / "y")


class PruneAll(optuna.pruners.BasePruner):
    def prune(self, study, trial):
        return trial.last_step is not None and trial.last_step >= 2


def test_a_round_ends_early_when_all_of_it_is_pruned(small, tmp_path, storage):
    options = {"storage": storage, "metric": "entropy", "trials": 2, "at_once": 1, "pruner": f"{__name__}:PruneAll"}
    found = influence_jax.search(small, {"learning_rate": "log:1e-4:1e-2"}, **options, out=tmp_path / "x")
    assert [trial.state.name for trial in trials(storage)] == ["PRUNED"] * 2
    assert sorted(trials(storage)[0].intermediate_values) == [1, 2]
    assert found.finished and [record.update for record in found.records] == [2, 2]
    with pytest.raises(ConfigError, match="names code outside of this package"):
        resume(tmp_path / "x")
    again = resume(tmp_path / "x", trust=True)
    assert again.finished and [record.update for record in again.records] == [2, 2]


def test_without_optuna_it_says_what_to_install(small, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match="optuna, which chooses trials, is not installed"):
        influence_jax.search(small, RATES, storage="sqlite://", out=tmp_path / "x")
