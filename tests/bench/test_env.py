"""``bench env``: games beside their limits."""

import pytest

from influence_jax.bench import env, limits
from tests.bench.answers import answer


def test_environment_benchmark_writes_stamped_rows_beside_c(tmp_path):
    result = answer("env", tmp_path, "--repeats", "3")
    assert {"device", "cores_used", "jax", "commit"} <= result["machine"].keys()
    ours, *others = result["rows"]
    assert ours["env_steps_per_call"] == 4 and ours["repeats"] == 3 and ours["compile_seconds"] > 0
    assert 0 < ours["slowest_env_steps_per_second"] <= ours["median_env_steps_per_second"]
    assert ours["peak_bytes"] > 2 * 5 * 15 * 15 * 3
    assert ours["fraction_of_limit"] > 0
    if limits.compiler():
        assert [row["version"] for row in others] == list(env.C_FLAGS)
        assert ours["limit"].startswith("C -O3") and others[0]["fraction_of_limit"] == pytest.approx(
            1 / result["machine"]["cores_used"]
        )


def test_environment_benchmark_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    (row,) = answer("env", tmp_path)["rows"]
    assert row["limit"] == "copying states and views" and row["fraction_of_limit"] > 0
