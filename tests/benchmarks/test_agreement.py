"""``python -m benchmarks agreement``: a device compared with the CPU."""

import jax.numpy as jnp
import pytest

from benchmarks import agreement
from tests.bench.answers import answer


@pytest.mark.slow
def test_a_device_plays_as_itself(tmp_path):
    (row,) = answer(agreement, tmp_path, "--presets")["rows"]
    assert row["agrees"]


@pytest.mark.slow
def test_a_device_agrees_with_itself(tmp_path):
    rows = answer(agreement, tmp_path)["rows"]
    assert [row["agrees"] for row in rows] == [True, True] and rows[1]["error"] == 0


def test_disagreement_is_found():
    first = {"x": jnp.zeros(3), "y": jnp.zeros(2)}
    assert agreement.same_leaves(first, first | {"y": jnp.array([0.0, 1e-9])}) == {"['x']": True, "['y']": False}
