"""Communication with a study, where every call to its database may fail."""

import time

import optuna
import pytest
from sqlalchemy.exc import OperationalError

from influence_jax.config import ConfigError
from influence_jax.sweeps import study as studies
from tests.sweeps.studies import trials

RATE = {"x": optuna.distributions.FloatDistribution(0, 1)}


def opened(storage, rounds=(), measured=(("metric", "entropy"),), **wanted):
    asked = {"storage": storage, "study": "influence_jax", "seed": 0, "sampler": None, "pruner": None} | wanted
    return studies.open_study(asked, dict(measured), list(rounds))


def draws(storage, counts=(2, 1), **wanted):
    """What is asked for in rounds, each by a process of its own."""
    found = []
    for count in counts:
        with opened(storage, **wanted) as study:
            found += [trial.params["x"] for trial in study.ask(RATE, count, 99)]
    return found


def test_a_data_base_that_somebody_else_lays_out_is_tried_again(monkeypatch, storage):
    create, waits, errors = optuna.create_study, [], [OperationalError("", {}, Exception("table exists"))] * 2

    def contended(**options):
        if errors:
            raise errors.pop()
        return create(**options)

    monkeypatch.setattr(optuna, "create_study", contended)
    monkeypatch.setattr(studies.time, "sleep", waits.append)
    with opened(storage) as study:
        assert study.ask({}, 1, 1)[0].number == 0 and len(waits) == 2
    errors += [OperationalError("", {}, Exception("disk I/O error"))] * 9
    with pytest.raises(ConfigError, match="which cannot be used with study 'influence_jax'"), opened(storage):
        pass


@pytest.mark.parametrize("sampler", [None, "optuna.samplers:RandomSampler"])
def test_a_seed_gives_the_same_trials_and_processes_draw_other_ones(tmp_path, sampler):
    urls = [f"sqlite:///{tmp_path}/{i}.db" for i in range(3)]
    first, again, other = (draws(url, seed=seed, sampler=sampler) for url, seed in zip(urls, (0, 0, 1), strict=True))
    assert first == again and len(set(first)) == 3 and set(first).isdisjoint(other)


@pytest.mark.parametrize(
    "wanted, words",
    [
        ({"sampler": "optuna.samplers:Nothing"}, "sampler 'optuna.samplers:Nothing' cannot be loaded"),
        ({"sampler": "optuna.pruners:NopPruner"}, "sampler 'optuna.pruners:NopPruner' fails"),
        (
            {"pruner": "builtins:dict"},
            "pruner 'builtins:dict' returned dict; allowed: callables that return BasePruner",
        ),
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


def test_a_study_may_be_older_than_a_setting(storage):
    with opened(storage):
        pass
    later = [("metric", "entropy"), ("influence.listening_loss", False)]
    with opened(storage, measured=later):
        pass
    with pytest.raises(ConfigError, match=r"measure something else: influence.listening_loss is True, was False"):
        opened(storage, measured=[*later, ("influence.listening_loss", True)]).__enter__()


def test_trials_of_a_process_that_is_gone_are_let_go(storage, monkeypatch):
    monkeypatch.setattr(studies, "GRACE", 1)
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
    monkeypatch.setattr(studies.time, "sleep", lambda seconds: None)
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
