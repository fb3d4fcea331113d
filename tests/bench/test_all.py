"""``bench all`` and the script for accelerators ask every question that measures."""

import importlib.util
import os
import pathlib
import subprocess

import pytest
import tyro

from influence_jax import cli
from influence_jax.bench import __main__ as command_line
from tests.bench.answers import NOT_OF_THIS_MACHINE


def test_all_asks_every_question(monkeypatch, tmp_path, capsys):
    asked = []

    def run(command, **options):
        asked.append(command[3:])
        return subprocess.CompletedProcess(command, returncode=int(command[3] == "memory"))

    monkeypatch.setattr(subprocess, "run", run)
    assert command_line.main(["all", "--smoke", "--out", str(tmp_path)]) == 1
    assert [question for question, *_ in asked] == [
        name for name in command_line.QUESTIONS if name not in NOT_OF_THIS_MACHINE
    ]
    assert all("--out" in options for _, *options in asked)
    assert "failed: memory" in capsys.readouterr().err


def test_accelerator_script_asks_what_the_questions_know(tmp_path):
    asked = tmp_path / "asked"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift 2\necho "$@" >>{asked}\n[ "$1" != profile ]\n')
    python.chmod(0o755)
    script = pathlib.Path(__file__).parents[2] / "benchmarks" / "accelerator.sh"
    environment = os.environ | {"PYTHON": str(python)}
    done = subprocess.run(
        [script, "--small", tmp_path / "out"], env=environment, capture_output=True, text=True, close_fds=False
    )
    assert done.returncode == 1 and "failed or out of time: profile\n" in done.stdout
    lines = [line.split() for line in asked.read_text().splitlines()]
    assert {question for question, *_ in lines} == (command_line.QUESTIONS.keys() - NOT_OF_THIS_MACHINE) | {"compiled"}
    for question, *options in lines:
        arguments = tyro.cli(importlib.import_module(f"influence_jax.bench.{question}").Arguments, args=options)
        assert arguments.out.parent == tmp_path / "out"


@pytest.mark.slow
def test_all_of_it(tmp_path):
    assert cli.main(["bench", "all", "--smoke", "--out", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.glob("*.json")} == command_line.QUESTIONS.keys() - NOT_OF_THIS_MACHINE
