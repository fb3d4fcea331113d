import json
import shlex
import subprocess
import sys

import pytest

import influence_jax
from influence_jax import presets
from influence_jax.analysis import load_metrics
from influence_jax.cli import main
from influence_jax.cli.options import option_names
from influence_jax.cli.train import train_options
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import run
from influence_jax.runtime.directory import load_config
from influence_jax.runtime.progress import Progress

TRAIN = ["train", "harvest-moa", "--profile", "small"]

pytestmark = pytest.mark.usefixtures("compile_quickly")


@pytest.fixture(scope="module")
def run_directory(tiny_options, tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    assert main([*TRAIN, *tiny_options, "--out", str(out)]) == 0
    return out


def refusal(capsys, *arguments):
    """Return the one sentence with which a command is refused."""
    assert main(list(arguments)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_train_writes_a_run(tiny, run_directory):
    assert load_config(run_directory) == (make_learner(tiny).config, [])
    assert load_metrics(run_directory)["update"][-1].tolist() == [100, 100]


def test_evaluate(run_directory, capsys):
    assert main(["evaluate", str(run_directory), "--episodes", "2", "--interventions", "20"]) == 0
    shown = capsys.readouterr().out
    assert "2 episodes after 100 updates" in shown and "equality" in shown and "apples" in shown
    written = json.loads((run_directory / "evaluation.json").read_text())
    assert (written["update"], written["episodes"], written["seed"]) == (100, 2, 0)
    trained = influence_jax.load(run_directory)
    evaluation = influence_jax.evaluate(trained.learner, trained.state, 2)
    assert written["collective_return"] == evaluation.collective_return.tolist()
    assert written["apples"] == evaluation.metrics["apples"].tolist()
    checked = influence_jax.intervene(trained.learner, trained.state, 20)
    assert written["intervention_correlation"] == pytest.approx(checked.correlation.tolist())
    assert written["intervention_pairs"] == checked.pairs.tolist() and "pairs that count" in shown


def test_render(run_directory, tmp_path):
    path = tmp_path / "episode.gif"
    assert main(["render", str(run_directory), "--out", str(path), "--member", "1"]) == 0
    assert path.read_bytes()[:3] == b"GIF"


def test_stop_and_go_on_as_told(tiny_options, tmp_path, capsys, monkeypatch):
    def press(self, point):
        if point.update == 50:
            raise KeyboardInterrupt

    arguments = [*TRAIN, *tiny_options, "--out", str(tmp_path / "my run")]
    monkeypatch.setattr(Progress, "__call__", press)
    assert main(arguments) == 130
    advice = capsys.readouterr().out.splitlines()[-1].partition("Go on with: ")[2]
    program, *arguments = shlex.split(advice)
    assert program == "influence-jax" and arguments == ["resume", str(tmp_path / "my run")]
    assert main(arguments) == 0
    assert "100 of 100 updates done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "trian",
            "command is 'trian'; allowed: presets, envs, train, resume, evaluate, render, bench. Did you mean 'train'?",
        ),
        ("presets all", "presets takes no arguments"),
        ("train", "train needs a preset before its options, or --config FILE; allowed: cleanup-a3c, "),
        ("train --out x harvest-moa", "train needs a preset before its options"),
        ("train harvest-mao --out x", "Did you mean 'harvest-moa'?"),
        ("train harvest-moa --out x --profile tiny", "profile is 'tiny'; allowed: paper, large, small, ppo."),
        ("train harvest-moa --out x --learner.num-env 3", "Did you mean '--learner.num-envs'?"),
        ("train harvest-moa --out x --hyperparms.discount=.9", "Did you mean '--hyperparams.discount'?"),
        ("train harvest-moa --out x --total-steps 2.5", "total_steps is 2.5; allowed: whole numbers from 1 to"),
        ("train harvest-moa --out x --total-steps many", "total_steps is 'many'; allowed: whole numbers"),
        ("train harvest-moa --out x --learner.num-envs 0", "learner.num_envs is 0; allowed"),
        ("train harvest-moa --out x --hyperparams.discount 1.1", "hyperparams.discount is 1.1; allowed"),
        ("train harvest-moa --out x --hyperparams.discount high", "hyperparams.discount is 'high'; allowed"),
        ("train harvest-moa --out x --measure none", "allowed with it: 0."),
        ("train harvest-moa --out x --influence.measure jds", "Did you mean 'jsd'?"),
        (
            "train harvest-a3c --out x --hyperparams.influence-weight 1",
            "with influence.model 'independent', which does not use it; allowed there: 0.0.",
        ),
        ("train harvest-moa --out x --algorithm a3c", "learner.algorithm is 'a3c'; allowed: a2c, ppo."),
        ("train harvest-moa --out x --discount=2", "hyperparams.discount is 2.0; allowed"),
        (
            "train harvest-moa --out x --influence.credit effect",
            "influence.credit is 'effect' with influence.model 'moa', which does not use it; allowed there: 'cause'.",
        ),
        ("train harvest-moa --out x --env.name harvset", "Did you mean 'harvest'?"),
        ("train harvest-moa --out x --env.num-agents 99", "at most one agent per start cell"),
        (
            "train harvest-moa --out x --env.num-agents 1",
            "influence.model is 'moa' with one agent; allowed are at least two",
        ),
        ("evaluate x", "'x' holds no run"),
        ("evaluate x --episode 3", "Did you mean '--episodes'?"),
        ("evaluate x --interventions -1", "interventions is -1; allowed are whole numbers from 0 up."),
        ("evaluate x --episodes 0", "episodes is 0; allowed are whole numbers from 1 up."),
        ("render x --out x.png", "out is 'x.png'; allowed are files that end in .gif or .mp4."),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in refusal(capsys, *arguments.split())
    assert not list(tmp_path.iterdir())


def test_refusals_about_directories(tiny_options, capsys, run_directory, tmp_path):
    assert "holds a run" in refusal(capsys, *TRAIN, *tiny_options, "--out", str(run_directory))
    assert "holds no run" in refusal(capsys, "resume", str(tmp_path / "x"))
    picture = str(tmp_path / "x.gif")
    assert "allowed are 0 to 1" in refusal(capsys, "render", str(run_directory), "--out", picture, "--member", "2")


def test_non_finite_parameters_are_a_failure(capsys, tmp_path, monkeypatch):
    def train(*args, **kwargs):
        raise FloatingPointError("the parameters of member 0 are no longer finite")

    monkeypatch.setattr(run, "train", train)
    assert main([*TRAIN, "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err == "influence-jax: the parameters of member 0 are no longer finite\n"


def test_help_explains_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "harvest-moa", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in option_names(train_options(presets.get("harvest-moa"), None)):
        assert option.replace("no-", "") in text
    for explained in ("Environment steps of each member", "Weight of the policy's entropy bonus", "(default: 0.00223)"):
        assert explained in text


def test_help_without_a_preset_lists_them(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert "harvest-moa-baseline" in text and "--learner.num-envs" in text
    assert main(["--help"]) == 0
    assert main([]) == 2
    assert "usage: influence-jax" in capsys.readouterr().out
    assert main(["presets"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == set(influence_jax.presets.names())


def test_python_minus_m():
    command = [sys.executable, "-m", "influence_jax", "evaluate", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, close_fds=False)
    assert done.returncode == 2
    assert done.stderr == "influence-jax: 'nowhere' holds no run; allowed is a directory that `train` wrote.\n"
