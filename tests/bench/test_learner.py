"""``bench learner``: the arithmetic that learning needs."""

import pytest

from influence_jax import presets
from influence_jax.bench import learner
from influence_jax.learner.learner import make_learner
from tests.bench.answers import answer

# Multiply-adds of one agent's step in Cleanup by hand: layer by layer, inputs times outputs.
CONVOLUTION = 3 * 3 * 3 * 6 * 13 * 13
GATES = 4 * 128  # what one more symbol costs
BRANCH = 13 * 13 * 6 * 32 + 32 * 32 + (32 + 128) * GATES
POLICY_AND_CRITIC = CONVOLUTION + 2 * BRANCH + 128 * 9 + 128 * 1
ACTIONS_SEEN = 4 * 9 * GATES


@pytest.mark.slow
def test_learner_benchmark_counts_the_arithmetic(tmp_path):
    (row,) = answer(learner, tmp_path)["rows"]
    assert row["macs_per_agent_step"] == POLICY_AND_CRITIC and row["num_agents"] == 5
    assert row["fraction_of_limit"] > 0 and row["limit"].startswith("arithmetic")


@pytest.mark.parametrize(
    ("preset", "macs"),
    [
        ("cleanup-visible-actions", POLICY_AND_CRITIC + 2 * ACTIONS_SEEN),
        ("cleanup-communication", POLICY_AND_CRITIC + 2 * 5 * 9 * GATES + 128 * 32 + 32 * 9 + 128),
        ("cleanup-moa", POLICY_AND_CRITIC + 2 * ACTIONS_SEEN + CONVOLUTION + BRANCH + 5 * 9 * GATES + 128 * 4 * 9),
    ],
)
def test_arithmetic_of_the_other_networks(preset, macs):
    assert learner.macs_per_agent_step(make_learner(presets.get(preset, "small"))) == macs
