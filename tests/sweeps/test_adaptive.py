"""Optuna chooses, and what it is told is what was measured."""

import dataclasses
import time

import numpy as np
import optuna
import pytest
from sqlalchemy.exc import OperationalError

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.sweeps import adaptive
from influence_jax.sweeps.resume import resume
from tests.learner.worlds import probe_config
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
    with pytest.raises(ConfigError, match=r"holds another search: .*random is "):
        influence_jax.search(small, {"discount": "uniform:.9:1"}, storage=storage, out=tmp_path / "x", resume=True)
    found = influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "x", resume=True)
    assert found.finished and [len(run.members) for run in found.runs] == [4, 4, 2]  # of 2, 2 and 1 trials, 2 seeds
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
    with pytest.raises(ConfigError, match="trials is 5, and the study 'influence_jax' has as many; allowed are more"):
        influence_jax.search(small, RATES, storage=storage, **ASKED, out=tmp_path / "y")
    assert not (tmp_path / "y").exists()
    more = influence_jax.search(small, RATES, storage=storage, **ASKED | {"trials": 6}, out=tmp_path / "y")
    assert len(more.rows()) == 2 and len(trials(storage)) == 6


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


def test_a_metric_that_is_never_measured_ends_the_search(tmp_path, storage):
    """After as many trials as are wanted, each of which failed, and again when it goes on."""
    endless = dataclasses.replace(probe(), env=dataclasses.replace(probe().env, horizon=1000))
    options = {"storage": storage, "trials": 2, "at_once": 1, "out": tmp_path / "x"}
    for again in (False, True):
        with pytest.raises(FloatingPointError, match=r"2 trials failed.* has no collective_return in the end"):
            influence_jax.search(endless, {"learning_rate": "log:1e-4:1e-2"}, **options, resume=again)
        assert [trial.state.name for trial in trials(storage)] == ["FAIL", "FAIL"]


def test_a_data_base_that_somebody_else_lays_out_is_tried_again(monkeypatch, storage):
    create, waits, errors = optuna.create_study, [], [OperationalError("", {}, Exception("table exists"))] * 2

    def contended(**options):
        if errors:
            raise errors.pop()
        return create(**options)

    monkeypatch.setattr(optuna, "create_study", contended)
    monkeypatch.setattr(adaptive.time, "sleep", waits.append)
    with opened(storage) as study:
        assert study.ask({}, 1, 1)[0].number == 0 and len(waits) == 2
    errors += [OperationalError("", {}, Exception("disk I/O error"))] * 9
    with pytest.raises(ConfigError, match="which cannot be used with study 'influence_jax'"), opened(storage):
        pass


RATE = {"x": optuna.distributions.FloatDistribution(0, 1)}


def opened(storage, rounds=(), measured=(("metric", "entropy"),), **wanted):
    asked = {"storage": storage, "study": "influence_jax", "seed": 0, "sampler": None, "pruner": None} | wanted
    return adaptive._opened(asked, dict(measured), list(rounds))


def draws(storage, counts=(2, 1), **wanted):
    """What is asked for in rounds, each by a process of its own."""
    found = []
    for count in counts:
        with opened(storage, **wanted) as study:
            found += [trial.params["x"] for trial in study.ask(RATE, count, 99)]
    return found


@pytest.mark.parametrize("sampler", [None, "optuna.samplers:RandomSampler"])
def test_a_seed_gives_the_same_trials_and_processes_draw_other_ones(tmp_path, sampler):
    urls = [f"sqlite:///{tmp_path}/{i}.db" for i in range(3)]
    first, again, other = (draws(url, seed=seed, sampler=sampler) for url, seed in zip(urls, (0, 0, 1), strict=True))
    assert first == again and len(set(first)) == 3 and set(first).isdisjoint(other)


@pytest.mark.parametrize(
    "wanted, words",
    [
        ({"sampler": "optuna.samplers:Nothing"}, "sampler is 'optuna.samplers:Nothing' cannot be loaded"),
        ({"sampler": "optuna.pruners:NopPruner"}, "sampler 'optuna.pruners:NopPruner' fails"),
        ({"pruner": "builtins:dict"}, "pruner 'builtins:dict' returned dict; allowed is what returns a BasePruner"),
    ],
)
def test_what_is_no_sampler_or_pruner_is_refused(storage, wanted, words):
    with pytest.raises(ConfigError, match=words):
        opened(storage, **wanted).__enter__()


def test_a_study_of_something_else_or_that_is_gone_is_named(storage):
    with opened(storage) as study:
        study.ask(RATE, 1, 1)
    with pytest.raises(ConfigError, match="measure something else: metric is 'reward', was 'entropy'"):
        opened(storage, measured=[("metric", "reward")]).__enter__()
    with pytest.raises(ConfigError, match=r"which lacks the trials \[3\] of this search"):
        opened(storage, rounds=[[0], [3]]).__enter__()
    with pytest.raises(ConfigError, match="study is 'another', which is gone from"):
        opened(storage, rounds=[[0]], study="another").__enter__()
    foreign = optuna.create_study(storage=storage, study_name="foreign")
    foreign.ask()
    with pytest.raises(ConfigError, match="measure something else: it was begun by something else"):
        opened(storage, study="foreign").__enter__()
    foreign._storage.remove_session()
    foreign._storage._backend.engine.dispose()


def test_trials_of_a_process_that_is_gone_are_let_go(storage, monkeypatch):
    monkeypatch.setattr(adaptive, "GRACE", 1)
    with opened(storage) as study:
        gone = study.ask(RATE, 1, 1)[0].number
        with study.alive([gone]):
            time.sleep(0.2)
        assert study.ask(RATE, 1, 1) == []
        time.sleep(2.1)
        assert [trial.number for trial in study.ask(RATE, 1, 1)] == [1]
        assert study.ask(RATE, 1, 1) == []  # nor did this one show a sign of life, but for the first
        time.sleep(2.1)
        assert [trial.number for trial in study.ask(RATE, 1, 1)] == [2]
    assert [trial.state.name for trial in trials(storage)] == ["FAIL", "FAIL", "RUNNING"]


def test_what_a_data_base_does_not_do_is_a_sentence(storage, monkeypatch):
    monkeypatch.setattr(adaptive.time, "sleep", lambda seconds: None)
    with opened(storage) as study:
        numbers = [trial.number for trial in study.ask(RATE, 2, 2)]
        with monkeypatch.context() as patch:
            locked = OperationalError("", {}, Exception("database is locked"))
            patch.setattr(study._study, "tell", lambda *args, **options: (_ for _ in ()).throw(locked))
            with pytest.raises(ConfigError, match=r"cannot be used .*database is locked.*--resume goes on"):
                study.tell(numbers, {0: 1.0, 1: 2.0})
        with pytest.raises(ConfigError, match=r"cannot be used .*ValueError"):  # of another kind than before
            study.ask({"x": optuna.distributions.CategoricalDistribution([1, 2])}, 1, 9)
        study.tell(numbers, {0: 1.0})  # the next go
        assert study.failed([0, 1, 2]) == 1
    assert [trial.state.name for trial in trials(storage)][:2] == ["COMPLETE", "FAIL"]


def probe(**changes):
    return probe_config(model="independent", total_steps=120, log_interval=1, **changes)


@pytest.mark.filterwarnings("ignore:member . .* learns no more")
def test_what_fails_is_asked_for_again(tmp_path, storage):
    """Until as many trials failed as are wanted."""
    options = {"storage": storage, "metric": "entropy", "trials": 3, "at_once": 1}
    found = influence_jax.search(probe(), {"learning_rate": "choice:1e38,0.001"}, **options, seed=1, out=tmp_path / "x")
    states = [trial.state.name for trial in trials(storage)]
    assert states.count("COMPLETE") == 3 and 0 < states.count("FAIL") < 3 and found.finished
    assert [row["trial"] for row in found.rows() if np.isnan(row["entropy"])] == found.failed
    with pytest.raises(FloatingPointError, match="3 trials failed, as many as are wanted"):
        influence_jax.search(probe(), {"learning_rate": "choice:1e38"}, **options, study="dead", out=tmp_path / "y")


class PruneAll(optuna.pruners.BasePruner):
    def prune(self, study, trial):
        return trial.last_step is not None and trial.last_step >= 2


def test_a_round_ends_early_when_all_of_it_is_pruned(tmp_path, storage):
    options = {"storage": storage, "metric": "entropy", "trials": 2, "at_once": 1, "pruner": f"{__name__}:PruneAll"}
    found = influence_jax.search(probe(), {"learning_rate": "log:1e-4:1e-2"}, **options, out=tmp_path / "x")
    assert [trial.state.name for trial in trials(storage)] == ["PRUNED"] * 2
    assert sorted(trials(storage)[0].intermediate_values) == [1, 2]
    assert found.finished and [record.update for record in found.records] == [2, 2]
    with pytest.raises(ConfigError, match="names code outside of this package"):
        resume(tmp_path / "x")
    again = resume(tmp_path / "x", trust=True)
    assert again.finished and [record.update for record in again.records] == [2, 2]


def test_without_optuna_it_says_what_to_install(small, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match="optuna is not installed"):
        influence_jax.search(small, RATES, storage="sqlite://", out=tmp_path / "x")
