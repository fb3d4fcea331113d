"""``bench influence``: every way of computing it."""

import pytest

from influence_jax.bench import influence
from tests.bench.answers import answer


@pytest.mark.slow
def test_influence_benchmark_times_every_way(tmp_path):
    result = answer(influence, tmp_path)
    ways = {(row["preset"], row["way"]) for row in result["rows"]}
    assert ways == {("cleanup-communication", way) for way in ("without", "with_influence", "naive")}
    assert result["time_added"]["cleanup-communication"].keys() == {"with_influence", "naive"}
