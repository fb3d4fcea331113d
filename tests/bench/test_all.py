"""``bench all`` asks every question that measures."""

import subprocess

import pytest

from influence_jax import cli
from influence_jax.cli.bench import QUESTIONS

MEASURING = [name for name in QUESTIONS if name not in ("all", "compare")]


def test_all_asks_every_question(monkeypatch, tmp_path, capsys):
    asked = []

    def run(command, **options):
        assert command[1:4] == ["-m", "influence_jax", "bench"]
        asked.append(command[4:])
        return subprocess.CompletedProcess(command, returncode=int(command[4] == "memory"))

    monkeypatch.setattr(subprocess, "run", run)
    assert cli.main(["bench", "all", "--smoke", "--out", str(tmp_path)]) == 1
    assert [question for question, *_ in asked] == MEASURING
    assert all("--out" in options for _, *options in asked)
    assert "failed: memory" in capsys.readouterr().err


@pytest.mark.slow
def test_all_of_it(tmp_path):
    assert cli.main(["bench", "all", "--smoke", "--out", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.glob("*.json")} == set(MEASURING)
