"""``influence-jax evaluate``."""

import json

import numpy as np
import pytest

import influence_jax
from influence_jax.cli import evaluate as command
from influence_jax.cli import main
from influence_jax.evaluation.intervention import Interventions
from tests.cli.commands import assert_refused


def test_evaluate(run_directory, capsys, monkeypatch):
    asked, real = [], np.random.default_rng(0).exponential(size=(2, 20, 2, 2))
    checked = Interventions(estimated=real**2, real=real, counted=np.broadcast_to(~np.eye(2, dtype=bool), real.shape))
    monkeypatch.setattr(command, "intervene", lambda learner, state, *rest: asked.append(rest) or checked)
    assert main(["evaluate", str(run_directory), "--episodes", "2", "--interventions", "20"]) == 0
    shown = capsys.readouterr().out
    assert "2 episodes after 100 updates" in shown and "equality" in shown and "apples" in shown
    assert "peace" in shown and "sustainability" in shown and "events per episode" in shown
    written = json.loads((run_directory / "evaluation.json").read_text())
    assert (written["update"], written["episodes"], written["seed"]) == (100, 2, 0)
    trained = influence_jax.load(run_directory)
    evaluation = influence_jax.evaluate(trained.learner, trained.state, 2)
    assert written["collective_return"] == evaluation.collective_return.tolist()
    assert written["peace"] == evaluation.peace.tolist() and len(written["sustainability"][0]) == 2
    assert written["apples"] == evaluation.metrics["apples"].tolist()
    assert asked == [(20, 0)]
    assert written["intervention_correlation"] == pytest.approx(checked.correlation.tolist())
    assert written["intervention_pairs"] == checked.pairs.tolist() and "valid pairs" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("evaluate x", "'x' holds no run"),
        ("evaluate x --episode 3", "Did you mean '--episodes'?"),
        ("evaluate x --interventions -1", "interventions is -1; allowed: whole numbers from 0 to 1000000."),
        ("evaluate x --episodes 0", "episodes is 0; allowed: whole numbers from 1 to 1000000."),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
