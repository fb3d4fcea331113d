"""``influence-jax train``."""

import dataclasses
import json

import pytest

from influence_jax import load, presets
from influence_jax.analysis import load_metrics
from influence_jax.cli import main
from influence_jax.cli.options import option_names
from influence_jax.cli.train import print_outcome, too_short, train_options
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import run
from influence_jax.runtime.directory import load_config
from tests.cli.commands import TRAIN, assert_refused, refusal


def test_train_writes_a_run(tiny, run_directory):
    assert load_config(run_directory) == (make_learner(tiny).config, [])
    assert load_metrics(run_directory)["update"][-1].tolist() == [100, 100]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("train", "train needs a preset before its options, or --config FILE; allowed: cleanup-a3c, "),
        ("train --out x harvest-moa", "train needs a preset before its options"),
        ("train harvest-mao --out x", "Did you mean 'harvest-moa'?"),
        ("train harvest-moa --out x --profile tiny", "profile is 'tiny'; allowed: paper, large, small."),
        ("train harvest-moa --out x --learner.num-env 3", "Did you mean '--learner.num-envs'?"),
        ("train harvest-moa --out x --hyperparms.discount=.9", "Did you mean '--hyperparams.discount'?"),
        ("train harvest-moa --out x --total-steps 2.5", "total_steps is 2.5; allowed: whole numbers from 1 to"),
        ("train harvest-moa --out x --total-steps many", "total_steps is 'many'; allowed: whole numbers"),
        ("train harvest-moa --out x --learner.num-envs 0", "learner.num_envs is 0; allowed"),
        ("train harvest-moa --out x --hyperparams.discount 1.1", "hyperparams.discount is 1.1; allowed"),
        ("train harvest-moa --out x --hyperparams.discount high", "hyperparams.discount is 'high'; allowed"),
        (
            "train harvest-moa --out x --measure none",
            "but influence.measure 'none' does not use it; allowed: 0.0.",
        ),
        ("train harvest-moa --out x --influence.measure jds", "Did you mean 'jsd'?"),
        (
            "train harvest-moa --out x --influence-weight 0 2.5",
            "hyperparams.influence-weight has 2 values, 0 2.5; allowed: one. To try several, use `influence-jax sweep` with "
            "--grid influence-weight=0,2.5.",
        ),
        ("train harvest-moa --out x --env.layout @map.txt", "'@map.txt' cannot be read"),
        ("train harvest-moa --out gs://bucket/x", "out is 'gs:/bucket/x', a URL; allowed: a path on this machine"),
        ("train --from nowhere --out x", "nowhere"),
        ("train --from nowhere --profile small --out x", "profile is 'small' with the settings of a run (--from)"),
        (
            "train harvest-a3c --out x --hyperparams.influence-weight 1",
            "but influence.model 'independent' does not use it; allowed: 0.0.",
        ),
        ("train harvest-moa --out x --algorithm a3c", "learner.algorithm is 'a3c'; allowed: a2c, ppo."),
        ("train harvest-moa --out x --discount=2", "hyperparams.discount is 2.0; allowed"),
        (
            "train harvest-moa --out x --influence.credit effect",
            "influence.credit is 'effect', but influence.model 'moa' does not use it; allowed: 'cause'.",
        ),
        ("train harvest-moa --out x --env.name harvset", "Did you mean 'harvest'?"),
        ("train harvest-moa --out x --env.num-agents 99", "at most one agent per start cell"),
        (
            "train harvest-moa --out x --env.num-agents 1",
            "influence.model is 'moa' with one agent; allowed: at least two",
        ),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)


def test_a_directory_that_holds_a_run_is_refused(tiny_options, capsys, run_directory):
    assert "holds a run" in refusal(capsys, *TRAIN, *tiny_options, "--out", str(run_directory))


def test_non_finite_parameters_are_a_failure(capsys, tmp_path, monkeypatch):
    def train(*args, **kwargs):
        raise FloatingPointError("the parameters of member 0 are no longer finite")

    monkeypatch.setattr(run, "train", train)
    assert main([*TRAIN, "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err == "influence-jax: the parameters of member 0 are no longer finite\n"


def test_a_run_that_begins_with_another_takes_its_settings(run_directory, tmp_path, capsys):
    """Unless others are given."""
    command = ["train", "--from", str(run_directory), "--quiet"]
    assert main([*command, "--out", str(tmp_path / "x"), "--total-steps", "120", "--hit-penalty", "7"]) == 0
    before, after = (load_config(path)[0] for path in (run_directory, tmp_path / "x"))
    assert after.total_steps == 120 and after.env.params["hit_penalty"] == 7.0
    assert (after.network, after.learner, after.hyperparams) == (before.network, before.learner, before.hyperparams)
    assert "agents are blind" in capsys.readouterr().err  # so few steps teach nobody to see
    said = refusal(capsys, *command, "--out", str(tmp_path / "y"), "--core-size", "4")
    assert "start_from has networks of another shape" in said and "network.core_size is 4, was 8;" in said
    assert not (tmp_path / "y").exists()


def test_what_could_not_be_saved_is_said(run_directory, tmp_path, capsys):
    """Along with the results of the training."""
    done = load(run_directory)
    assert print_outcome(dataclasses.replace(done, saved=None), tmp_path, as_json=False) == 1
    said = capsys.readouterr()
    assert said.out == f"100 of 100 updates done; see {tmp_path}\n"
    assert (
        "the state after 100 updates could not be saved; the newest checkpoint in" in said.err
        and "is none." in said.err
    )
    assert print_outcome(dataclasses.replace(done, saved=80), tmp_path, as_json=False) == 1
    assert "is the one after 80 updates." in capsys.readouterr().err
    assert print_outcome(dataclasses.replace(done, update=0, saved=None), tmp_path, as_json=False) == 75
    assert "nothing was written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("profile", "total_steps", "said"),
    [
        ("small", 2.2e5, ""),  # 110 updates of 16 gradient steps
        ("small", 1e5, "50 updates and 800 gradient steps"),
        ("large", 6e5, "38 updates and 2432 gradient steps"),  # enough steps, on too few rollouts
        ("large", 2e6, ""),
        ("paper", 1e6, ""),  # A2C: 1600 updates
        ("paper", 6e5, "950 updates and 950 gradient steps"),
    ],
)
def test_a_run_in_which_nobody_can_learn_says_so(profile, total_steps, said):
    sentence = too_short(presets.get("harvest-a3c", profile, total_steps=total_steps))
    assert said in sentence and bool(said) == bool(sentence)


def test_help_explains_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "harvest-moa", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in option_names(train_options(presets.get("harvest-moa"), None, {})):
        assert option.replace("no-", "") in text
    for explained in ("Environment steps per member", "Weight of the policy's entropy bonus", "(default: 0.00223)"):
        assert explained in text


def test_help_without_a_preset_lists_them(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert "harvest-moa-baseline" in text and "--learner.num-envs" in text


def test_a_file_of_settings_is_data(tmp_path, capsys, monkeypatch, tiny_options):
    """It imports nothing without --trust, and serves as a preset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "loud_module.py").write_text("raise RuntimeError('code of others was run')")
    assert main(["train", "harvest-moa", "--profile", "small", *tiny_options, "--out", "run", "--quiet"]) == 0
    assert main(["train", "--config", "run/config.json", "--out", "again", "--seed", "3", "--total-steps", "12"]) == 0
    capsys.readouterr()
    values = json.loads((tmp_path / "run" / "config.json").read_text())
    values["learner"]["shaper"] = "loud_module:shaper"
    (tmp_path / "foreign.json").write_text(json.dumps(values))
    for arguments, words in (
        (["--config", "foreign.json"], "names code outside of this package (learner.shaper 'loud_module:shaper')"),
        (["--config", "foreign.json", "--trust"], "code of others was run"),
        (
            ["--config", "run/config.json", "--profile", "small"],
            "together with a preset or a profile; allowed: one of them",
        ),
    ):
        assert main(["train", *arguments, "--out", "new"]) == 2
        assert words in capsys.readouterr().err
    assert main(["train", "harvest-moa", "--config", "run/config.json", "--out", "new"]) == 2
    assert not (tmp_path / "new").exists()


def test_a_run_says_how_it_ended_in_one_line_of_json(tmp_path, capsys, tiny_options):
    assert (
        main(["train", "harvest-moa", "--profile", "small", *tiny_options, "--out", str(tmp_path / "run"), "--json"])
        == 0
    )
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and json.loads(said[0])["finished"] is True
