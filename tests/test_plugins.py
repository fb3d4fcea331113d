"""What an installed package registers is there by its name, is not imported before, and is trusted like any code of others."""

import json
import pathlib
import sys

import numpy as np
import pytest

import influence_jax
from influence_jax import envs
from influence_jax.cli import main
from influence_jax.config import EnvConfig, ExperimentConfig, InfluenceConfig, code_paths, to_dict, to_json
from influence_jax.runtime.directory import FORMAT_VERSION
from influence_jax.settings import ConfigError
from influence_jax.sweeps.files import trusted
from tests.cli.commands import TRAIN, refusal
from tests.installed import install, uninstall

PLUGIN = pathlib.Path(__file__).parent / "plugin"
PROJECT = (PLUGIN / "pyproject.toml").read_text()
NAMES = {"env.name": "corridor", "influence.measure": "total-variation", "network.name": "small"}
PATHS = {"env.name": "Corridor", "influence.measure": "total_variation", "network.name": "small"}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    install(monkeypatch, tmp_path, PLUGIN, PROJECT)
    yield
    uninstall("corridor_lab")


def test_names_are_known_without_an_import(plugin, tmp_path, capsys):
    train = [*TRAIN, "--out", str(tmp_path / "run")]
    assert envs.registered()[-1] == "corridor"
    assert main(["envs"]) == 0
    assert "corridor       See corridor_lab.parts:Corridor." in capsys.readouterr().out
    assert "total-variation or 'package.module:name'" in refusal(capsys, *train, "--measure", "total")
    assert "Did you mean 'corridor'" in refusal(capsys, *train, "--env.name", "coridor")
    assert "corridor_lab" not in sys.modules


@pytest.mark.slow
def test_they_train_by_their_names_and_are_recorded_by_their_paths(plugin, tmp_path, capsys):
    options = [text for setting, name in NAMES.items() for text in (f"--{setting}", name)]
    sizes = "--num-envs 2 --rollout-length 4 --log-interval 2 --total-steps 16 --hidden-size 4 --num-influencers 1"
    run = tmp_path / "run"
    assert main(["train", "harvest-basic", *options, *sizes.split(), "--env.horizon", "6", "--out", str(run)]) == 0
    written = json.loads((run / "config.json").read_text())
    found = {setting: written[setting.split(".")[0]][setting.split(".")[1]] for setting in NAMES}
    assert found == {setting: f"corridor_lab.parts:{name}" for setting, name in PATHS.items()}
    with pytest.raises(ConfigError, match="outside of this package"):
        influence_jax.load(run)
    loaded = influence_jax.load(run, trust=True)
    assert np.isfinite(loaded.metrics["entropy"]).all() and loaded.learner.env == envs.make("corridor", horizon=6)


def test_a_short_name_in_a_file_is_no_less_foreign(plugin, tmp_path, capsys):
    config = ExperimentConfig(env=EnvConfig("corridor"), influence=InfluenceConfig("moa", measure="total-variation"))
    assert code_paths(config) == {"env.name": "corridor", "influence.measure": "total-variation"}
    (tmp_path / "config.json").write_text(to_json(config).replace("{", f'{{"format_version": {FORMAT_VERSION},', 1))
    refused = refusal(capsys, "train", "--config", str(tmp_path / "config.json"))
    assert "code outside of this package (influence.measure 'total-variation', env.name 'corridor')" in refused
    about = {"config": to_dict(ExperimentConfig()), "programs": []}
    for setting, name in list(NAMES.items())[1:]:  # a sweep keeps to one game
        with pytest.raises(ConfigError, match=f"outside of this package.*{name}"):
            trusted(tmp_path, about | {"space": {"grid": {setting: [name]}}}, trust=False)
    assert "corridor_lab" not in sys.modules


@pytest.mark.parametrize(
    ("registered", "sentence"),
    [
        (
            {"envs": {"cleanup": "rival:Game"}},
            "env.name is 'cleanup', a name of this package and of 'rival:Game'; allowed: ",
        ),
        (
            {"measures": {"kl": "rival:kl"}},
            "influence.measure is 'kl', a name of this package and of 'rival:kl'; allowed: ",
        ),
        (
            {"envs": {"corridor": "rival:Game"}},
            "env.name is 'corridor', a name of 'corridor_lab.parts:Corridor' and of 'rival:Game'",
        ),
    ],
)
def test_a_name_that_two_packages_have_is_refused(plugin, tmp_path, monkeypatch, registered, sentence):
    (group, entries), *_ = registered.items()
    ((name, path),) = entries.items()
    entry = (
        f'[project]\nname = "rival"\nversion = "2"\n[project.entry-points."influence_jax.{group}"]\n{name} = "{path}"\n'
    )
    install(monkeypatch, tmp_path, PLUGIN, entry)
    setting = {"envs": "env.name", "measures": "influence.measure"}[group]
    with pytest.raises(ConfigError) as error:
        influence_jax.make_learner(influence_jax.presets.get("cleanup-moa", **{setting: name}))
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_a_name_cannot_be_registered_twice_in_a_process(plugin):
    with pytest.raises(ConfigError, match="environment name is 'corridor'"):
        envs.register("corridor", envs.Harvest)
