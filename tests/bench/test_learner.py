"""``bench learner``: what learning needs of arithmetic."""

import pytest

from influence_jax import presets
from influence_jax.bench import learner
from influence_jax.learner.learner import make_learner
from tests.bench.answers import answer


def test_learner_benchmark_counts_the_arithmetic(tmp_path):
    (row,) = answer("learner", tmp_path)["rows"]
    assert row["macs_per_agent_step"] == 144_050 and row["num_agents"] == 5  # 27,378 + 32,448 + 1,024 + 81,920 + 1,280
    assert row["fraction_of_limit"] > 0 and row["limit"].startswith("arithmetic")


@pytest.mark.parametrize(
    ("preset", "thousands"), [("cleanup-visible-actions", 162), ("cleanup-communication", 172), ("cleanup-moa", 306)]
)
def test_arithmetic_of_the_other_networks(preset, thousands):
    macs = learner.macs_per_agent_step(make_learner(presets.get(preset, "small")))
    assert macs == pytest.approx(1000 * thousands, rel=0.03)
