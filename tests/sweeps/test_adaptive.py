"""Optuna chooses, and what it is told is what was measured."""

import dataclasses

import numpy as np
import optuna
import pytest
from sqlalchemy.exc import OperationalError

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.sweeps import adaptive
from tests.runtime.runs import stop_at

RATES = {"learning_rate": "log:1e-4:1e-2", "env.params.hit_penalty": "choice:0,50"}
ASKED = {"trials": 5, "at_once": 2, "metric": "entropy"}


@pytest.fixture(scope="module")
def small(tiny):
    return dataclasses.replace(tiny, total_steps=480)


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def trials(storage):
    backend = optuna.storages.RDBStorage(storage)
    try:
        return optuna.load_study(study_name="influence_jax", storage=backend).trials
    finally:
        backend.remove_session()
        backend.engine.dispose()


def test_it_is_told_what_came_out(small, tmp_path, storage):
    with pytest.raises(ConfigError, match=r"metric is 'entrpy'; allowed: .*Did you mean 'entropy'"):
        influence_jax.search(small, RATES, storage=storage, **ASKED | {"metric": "entrpy"}, out=tmp_path / "x")
    stopped = influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "x", callback=stop_at(20))
    assert not stopped.finished and [trial.state.name for trial in trials(storage)] == ["RUNNING"] * 2
    with pytest.raises(ConfigError, match="allowed to resume is the same search"):
        influence_jax.search(small, {"discount": "uniform:.9:1"}, storage=storage, out=tmp_path / "x", resume=True)
    found = influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "x", resume=True)
    assert found.finished and [len(run.members) for run in found.runs] == [4, 4, 2]  # of 2, 2 and 1 trials, 2 seeds
    rows = influence_jax.load(tmp_path / "x").rows()
    assert [(row["trial"], row["entropy"]) for row in rows] == [(row["trial"], row["entropy"]) for row in found.rows()]
    for number, trial in enumerate(trials(storage)):
        mine = [row for row in rows if row["trial"] == number]
        assert trial.value == pytest.approx(np.mean([row["entropy"] for row in mine])) and len(mine) == 2
        assert trial.params == {name: mine[0][name] for name in trial.params} and len(trial.params) == 2
    with pytest.raises(ConfigError, match="trials is 5, and the study 'influence_jax' has as many; allowed are more"):
        influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "y")
    assert not (tmp_path / "y").exists()
    more = influence_jax.search(small, RATES, storage=storage, **ASKED | {"trials": 6}, out=tmp_path / "y")
    assert len(more.rows()) == 2 and len(trials(storage)) == 6


@pytest.mark.parametrize(
    "random, options, sentence",
    [
        ({"network.critic": "choice:shared,detached"}, {}, "random has network.critic, by which programs differ"),
        ({"discount": "uniform:0.9:1.1"}, {}, r"hyperparams\['discount'\] is 1.1; allowed: numbers from 0 to 1"),
        ({}, {}, "grid and random are empty"),
        (RATES, {"at_once": 0}, "at_once is 0; allowed: whole numbers from 1"),
        (RATES, {"storage": "nonsense://x"}, "storage is 'nonsense://x', which cannot be opened"),
    ],
)
def test_what_cannot_be_searched_is_refused(small, tmp_path, storage, random, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        influence_jax.search(small, random, **{"storage": storage} | options, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_metric_that_is_never_measured_ends_the_search(small, tmp_path, storage):
    """Or it would ask for other trials for ever."""
    endless = dataclasses.replace(small, env=dataclasses.replace(small.env, horizon=1000), total_steps=240)
    with pytest.raises(ConfigError, match="metric is 'collective_return', which no trial of a round has in the end"):
        influence_jax.search(endless, RATES, storage=storage, trials=2, at_once=1, out=tmp_path / "x")
    assert [trial.state.name for trial in trials(storage)] == ["FAIL"]


def test_a_data_base_that_somebody_else_lays_out_is_tried_again(monkeypatch, storage):
    create, waits, errors = optuna.create_study, [], [OperationalError("", {}, Exception("table exists"))] * 2

    def contended(**options):
        if errors:
            raise errors.pop()
        return create(**options)

    monkeypatch.setattr(optuna, "create_study", contended)
    monkeypatch.setattr(adaptive.time, "sleep", waits.append)
    with adaptive._opened(storage, "x") as study:
        assert study.study_name == "x" and len(waits) == 2
    errors += [OperationalError("", {}, Exception("disk I/O error"))] * 9
    with pytest.raises(ConfigError, match="which cannot be opened"), adaptive._opened(storage, "x"):
        pass


def test_without_optuna_it_says_what_to_install(small, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match="optuna is not installed"):
        influence_jax.search(small, RATES, storage="sqlite://", out=tmp_path / "x")
