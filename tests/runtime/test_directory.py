"""A directory belongs to one run, and is data."""

import dataclasses
import json

import optax
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.learner.learner import make_learner
from tests.runtime.runs import assert_same


def test_a_directory_belongs_to_one_run(tiny, whole, tmp_path):
    with pytest.raises(ConfigError, match="holds a run; allowed"):
        influence_jax.train(tiny, out=whole[1])
    other = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(entropy_coef=0.5))
    with pytest.raises(ConfigError, match=r"another configuration: hyperparams.entropy_coef is 0.5, was 0.00223\.$"):
        influence_jax.train(other, out=whole[1], resume=True)
    with pytest.raises(ConfigError, match="holds no run"):
        influence_jax.train(tiny, out=tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(ConfigError, match="resume is True without out"):
        influence_jax.train(tiny, resume=True)
    (tmp_path / "checkpoints").mkdir()  # whose configuration was lost
    with pytest.raises(ConfigError, match="holds a run; allowed"):
        influence_jax.train(tiny, out=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        influence_jax.train(tiny, out=tmp_path / "file")


def test_an_unknown_format_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"format_version": 99}')
    with pytest.raises(ConfigError, match=r"format_version of .* is 99; this version reads 3"):
        influence_jax.load(tmp_path)


def test_to_open_a_run_imports_nothing_of_others(tiny, tmp_path, monkeypatch):
    influence_jax.train(dataclasses.replace(tiny, total_steps=12), out=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["env"]["name"] = "evil_module:Game"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil_module.py").write_text("raise SystemExit('code of others was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"names code outside of this package \(env.name 'evil_module:Game'\)"):
        influence_jax.load(tmp_path / "run")
    with pytest.raises(ConfigError, match="SystemExit: code of others was run"):
        influence_jax.load(tmp_path / "run", trust=True)
    config["env"]["name"] = "influence_jax.cli:main"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="which is no environment"):
        influence_jax.load(tmp_path / "run")


def test_a_learner_with_parts_of_its_own(tiny, tmp_path):
    learner = dataclasses.replace(make_learner(tiny), optimizer=optax.identity())
    run = influence_jax.train(learner, total_steps=120, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["replaced"] == ["optimizer"]
    with pytest.raises(ConfigError, match=r"a run with parts of its own \(optimizer\); allowed is to give the learner"):
        influence_jax.load(tmp_path / "run")
    again = influence_jax.load(tmp_path / "run", learner=run.learner)
    assert_same(again.state, run.state)
