"""``influence-jax bench``; what the questions answer is tested with the benchmarks."""

import pytest

import benchmarks.env
import benchmarks.influence
import benchmarks.learner
from influence_jax import cli
from influence_jax.cli import bench

pytestmark = pytest.mark.usefixtures("compile_quickly")


def test_on_the_command_line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    assert cli.main(["bench", "env", *benchmarks.env.SMOKE, "--out", "here"]) == 0
    assert "cleanup, 2 envs" in capfd.readouterr().out and (tmp_path / "here" / "env.json").exists()


def test_missing_benchmarks_are_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "package" / "cli" / "bench.py"))
    assert cli.main(["bench", "env"]) == 2
    assert capsys.readouterr().err.startswith("influence-jax: bench needs the folder 'benchmarks'")
