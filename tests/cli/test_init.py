"""The command line as a whole."""

import subprocess
import sys

import pytest

import influence_jax
from influence_jax.cli import main
from tests.cli.commands import assert_refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "trian",
            "command is 'trian'; allowed: presets, envs, train, resume, sweep, submit, merge, best, table, evaluate, render, "
            "bench. Did you mean 'train'?",
        ),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)


def test_usage(capsys):
    assert main(["--help"]) == 0
    assert main([]) == 2
    assert capsys.readouterr().out.count("usage: influence-jax") == 2


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == influence_jax.__version__ + "\n"


def test_python_minus_m():
    command = [sys.executable, "-m", "influence_jax", "evaluate", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, close_fds=False)
    assert done.returncode == 2
    assert done.stderr == "influence-jax: 'nowhere' holds no run; allowed is a directory that `train` wrote.\n"
