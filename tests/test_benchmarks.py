"""The benchmarks run, at sizes that say nothing about speed."""

import json

import pytest

import benchmarks.env
import benchmarks.harness
import benchmarks.influence
import benchmarks.learner


def test_environment_benchmark_writes_stamped_results(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks.harness, "RESULTS", tmp_path)
    benchmarks.env.main(benchmarks.env.Arguments(games=("cleanup",), num_envs=(2,), steps=2, repeats=3, save="env"))
    result = json.loads((tmp_path / "env.json").read_text())
    assert {"device", "cores_used", "jax", "commit"} <= result["machine"].keys()
    (row,) = result["rows"]
    assert row["env_steps_per_call"] == 4 and row["repeats"] == 3
    assert 0 < row["slowest_env_steps_per_second"] <= row["median_env_steps_per_second"]


@pytest.mark.usefixtures("compile_quickly")
def test_influence_benchmark_times_every_way(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks.harness, "RESULTS", tmp_path)
    arguments = benchmarks.influence.Arguments(updates=1, repeats=1, num_envs=1, save="influence")
    benchmarks.influence.main(arguments)
    rows = json.loads((tmp_path / "influence.json").read_text())["rows"]
    ways = {tuple(row["name"].split(", ")) for row in rows}
    assert ways == {(p, w) for p in arguments.presets for w in ("without", "with_influence", "naive")}


def test_median_ignores_a_slow_call():
    timing = benchmarks.harness.Timing("x", 100, 1.0, [0.1, 0.1, 5.0])
    assert timing.row()["median_env_steps_per_second"] == 1000 and timing.row()["slowest_env_steps_per_second"] == 20
