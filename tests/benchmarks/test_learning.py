"""``python -m benchmarks learning``: a goal that is not reached is reported as such."""

import pytest

from benchmarks import learning
from influence_jax.config import ConfigError
from tests.bench.answers import answer


@pytest.mark.slow
def test_a_budget_ends_the_wait(tmp_path):
    rows = answer(learning, tmp_path)["rows"]
    assert [row["learner"] for row in rows] == ["influence_jax", "textbook"]
    assert not any(row["reached"] for row in rows) and all(0 < row["last"] < 0.95 for row in rows)


@pytest.mark.parametrize(
    ("goal", "sentence"),
    [
        ("Queue", "goals has 'Queue'; allowed: Cue"),
        ("prosocial Cleanup: return 300", "learners has 'textbook', whose agents are selfish"),
    ],
)
def test_refusals(goal, sentence):
    with pytest.raises(ConfigError, match=sentence):
        learning.main(learning.Arguments(goals=(goal,)))
