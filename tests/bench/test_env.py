"""``bench env``: games compared with copying their states and observations."""

import pytest

from influence_jax.bench import env
from tests.bench.answers import answer


@pytest.mark.parametrize("game", [pytest.param("cleanup", marks=pytest.mark.slow), "box-trapped"])
def test_environment_benchmark_writes_stamped_rows(tmp_path, game):
    result = answer(env, tmp_path, "--games", game, "--num-agents", "2", "--repeats", "3")
    assert {"device", "cores_used", "jax", "commit"} <= result["machine"].keys()
    (row,) = result["rows"]
    assert row["game"] == game and row["num_agents"] == 2 and row["cores"] == result["machine"]["cores_used"]
    assert row["env_steps_per_call"] == 4 and row["repeats"] == 3 and row["compile_seconds"] > 0
    assert 0 < row["slowest_env_steps_per_second"] <= row["median_env_steps_per_second"]
    assert row["limit"] == "copying states and views" and row["fraction_of_limit"] > 0
