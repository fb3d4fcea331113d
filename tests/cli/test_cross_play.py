"""``influence-jax cross-play``."""

import shutil

import numpy as np
import pytest

from influence_jax.analysis.cross_play import CrossPlay
from influence_jax.cli import main
from influence_jax.evaluation import cross_play as evaluation
from tests.cli.commands import assert_refused


def test_cross_play(run_directory, tmp_path, capsys, monkeypatch):
    """What is printed and drawn of the games, which are played in the tests of `evaluation`."""
    played = []

    def cross_play(runs, **options):
        played.append((list(runs), options))
        return CrossPlay(tuple(runs), *np.random.default_rng(0).normal(size=(2, 2, 2, 2, 2)))

    monkeypatch.setattr(evaluation, "cross_play", cross_play)
    other, path = tmp_path / "other", tmp_path / "matrix.svg"
    shutil.copytree(run_directory, other)
    assert main(["cross-play", str(run_directory), str(other), "--episodes", "2", "--out", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2 seeds, 2 episodes each" in lines[0] and len(lines) == 7 and lines[-1] == str(path)
    assert "<svg" in path.read_text()
    assert played == [([str(run_directory), str(other)], {"num_episodes": 2, "seed": 0})]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("cross-play x", "'x' holds no run"),
        ("cross-play x --out x.gif", "out is 'x.gif'; allowed: files that end in .png or .svg or .pdf."),
        ("cross-play x --episodes 0", "episodes is 0; allowed: whole numbers from 1"),
        ("cross-play", "runs has no entries"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
