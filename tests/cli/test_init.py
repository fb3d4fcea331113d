"""The command line as a whole."""

import os
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
            "command is 'trian'; allowed: presets, envs, train, resume, sweep, submit, merge, best, compare, plot, report, "
            "table, evaluate, cross-play, render, replay, moments, play, demo, completion, bench. Did you mean 'train'?",
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
    assert done.stderr == "influence-jax: 'nowhere' holds no run; allowed: a directory that `train` wrote.\n"


@pytest.mark.parametrize("arguments", ["presets", "train --help"])
def test_a_reader_that_is_gone_ends_it_as_in_a_shell(arguments):
    """The status is not 75, which would make a job script try again."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "influence_jax", *arguments.split()], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_platform_that_is_not_there_is_a_sentence():
    command = [sys.executable, "-m", "influence_jax", "envs", "harvest"]
    done = subprocess.run(
        command, env=os.environ | {"JAX_PLATFORMS": "rocm"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(
        "influence-jax: JAX_PLATFORMS is 'rocm', which"
    )
    assert "Traceback" not in done.stderr
