"""A directory belongs to one run, and contains only data."""

import dataclasses
import json
import shutil

import jax
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.runtime.directory import load_config, save_config
from influence_jax.runtime.run import resume
from tests.runtime.runs import assert_same


def test_a_directory_belongs_to_one_run(tiny, whole, tmp_path):
    with pytest.raises(ConfigError, match="holds a run; allowed"):
        influence_jax.train(tiny, out=whole[1])
    other = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(entropy_coef=0.5))
    with pytest.raises(ConfigError, match=r"another configuration: hyperparams.entropy_coef is 0.5, was 0.012"):
        influence_jax.train(other, out=whole[1], resume=True)
    with pytest.raises(ConfigError, match="resume is True without out"):
        influence_jax.train(tiny, resume=True)
    (tmp_path / "checkpoints").mkdir()  # whose configuration was lost
    with pytest.raises(ConfigError, match="holds a run; allowed"):
        influence_jax.train(tiny, out=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        influence_jax.train(tiny, out=tmp_path / "file")


@pytest.mark.parametrize(
    "file, was, edited, words",
    [
        (
            "config.json",
            '"learning_rate": 0.001',
            '"learning_rate": 0.5',
            "hyperparams.learning_rate is 0.5, was 0.001;",
        ),
        ("config.json", '"rollout_length": 4', '"rollout_length": 2', "learner.rollout_length is 2, was 4;"),
        ("config.json", '"core_size": 8', '"core_size": 4', "network.core_size is 4, was 8;"),
        ("config.json", '"hit_penalty": 50.0', '"hit_penalty": 0.0', "env.params.hit_penalty is 0.0, was 50.0;"),
        ("members.json", '"seed": 1', '"seed": 7', "member 1: seed is 7, was 1;"),
    ],
)
def test_what_was_edited_is_named(whole, tmp_path, file, was, edited, words):
    """Otherwise the record would differ from the settings that made the state."""
    shutil.copytree(whole[1], tmp_path / "run")
    text = (tmp_path / "run" / file).read_text()
    assert text.count(was) == 1
    (tmp_path / "run" / file).write_text(text.replace(was, edited))
    for action in (resume, influence_jax.load):
        with pytest.raises(ConfigError, match="was trained with other settings until update 100: ") as error:
            action(tmp_path / "run")
        assert words in str(error.value)


def test_a_run_under_other_rules_is_told_apart(whole, tmp_path):
    """Runs that were recorded before rules had versions are of version 0."""
    shutil.copytree(whole[1], tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("env_version") == 0
    path.write_text(json.dumps(config))
    learner = influence_jax.load(tmp_path / "run").learner
    path.write_text(json.dumps({"env_version": 1} | config))
    for given in (None, learner):
        with pytest.raises(ConfigError, match="under version 1 of the rules of 'harvest'; allowed here: version 0"):
            influence_jax.load(tmp_path / "run", learner=given)
    with pytest.raises(ConfigError, match="under version 1 of the rules"):
        influence_jax.train(learner, out=tmp_path / "run", resume=True)
    assert json.loads(path.read_text())["env_version"] == 1


def test_parts_that_the_run_had_and_the_learner_has_not_are_named(whole, tmp_path):
    shutil.copytree(whole[1], tmp_path / "run")
    learner, path = influence_jax.load(tmp_path / "run").learner, tmp_path / "run" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"replaced": ["shaper"]}))
    with pytest.raises(ConfigError, match=r"a run with parts of its own \(shaper\); the learner given has none"):
        influence_jax.load(tmp_path / "run", learner=learner)
    with pytest.raises(ConfigError, match=r"a run with parts of its own \(shaper\)"):
        influence_jax.train(learner, out=tmp_path / "run", resume=True)


def test_what_does_not_change_the_state_may_be_edited(whole, tmp_path):
    shutil.copytree(whole[1], tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"keep": 2', '"keep": 5'))
    assert influence_jax.load(tmp_path / "run").config.keep == 5


def test_random_keys_of_another_kind_are_named(whole):
    with (
        jax.default_prng_impl("rbg"),
        pytest.raises(ConfigError, match="jax_default_prng_impl is 'rbg', was 'threefry2x32'"),
    ):
        influence_jax.load(whole[1])


def test_a_sweep_is_no_run(tmp_path):
    (tmp_path / "sweep.json").touch()
    with pytest.raises(ConfigError, match="holds a sweep; allowed: a run, such as those in its folder"):
        load_config(tmp_path)


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


def test_a_learner_with_parts_of_its_own(whole, tmp_path):
    """Its run may be read with this learner only."""
    run, out = whole
    shutil.copytree(out, tmp_path / "run")
    learner = dataclasses.replace(run.learner, shaper=dataclasses.replace(run.learner.shaper))
    save_config(tmp_path / "run", learner)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["replaced"] == ["shaper"]
    with pytest.raises(ConfigError, match=r"a run with parts of its own \(shaper\); give `learner`"):
        influence_jax.load(tmp_path / "run")
    assert_same(influence_jax.load(tmp_path / "run", learner=learner).state, run.state)
