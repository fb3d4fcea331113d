"""``bench memory``: the formula and the compiler's plan."""

import pytest

from influence_jax.bench import memory
from tests.bench.answers import answer

pytestmark = pytest.mark.compile_fully


@pytest.mark.slow
def test_memory_is_what_the_formula_says(tmp_path):
    (row,) = answer(memory, tmp_path, "--presets", "cleanup-moa", "--sizes", *"32 8 3 2".split())["rows"]
    assert abs(row["error"]) < 0.15 and row["process_peak_bytes"] > row["measured_bytes"]
