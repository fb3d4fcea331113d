"""The script for accelerators asks every question that measures, from any working directory."""

import importlib.util
import os
import pathlib
import subprocess

import tyro

from benchmarks import __main__ as command_line
from influence_jax.cli import bench

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "accelerator.sh"
NOT_OF_AN_ACCELERATOR = {"all", "compare", "learning", "limits", "peers"}


def test_accelerator_script_asks_what_the_questions_know(tmp_path):
    asked = tmp_path / "asked"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\necho "$@" >>{asked}\n[ "$2" != profile ]\n')
    python.chmod(0o755)
    environment = os.environ | {"PYTHON": str(python)}
    done = subprocess.run(
        [SCRIPT, "--small", tmp_path / "out"], env=environment, capture_output=True, text=True, close_fds=False
    )
    assert done.returncode == 1 and "failed or out of time: profile\n" in done.stdout
    lines = [
        line.replace("influence_jax bench", "influence_jax.bench").split() for line in asked.read_text().splitlines()
    ]
    known = {("influence_jax.bench", name) for name in bench.QUESTIONS}
    known |= {("benchmarks", name) for name in command_line.QUESTIONS}
    assert {tuple(line[:2]) for line in lines} == {pair for pair in known if pair[1] not in NOT_OF_AN_ACCELERATOR}
    for package, question, *options in lines:
        arguments = tyro.cli(importlib.import_module(f"{package}.{question}").Arguments, args=options)
        assert arguments.out.parent == tmp_path / "out"
