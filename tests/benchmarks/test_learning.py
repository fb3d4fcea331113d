"""``python -m benchmarks learning``: both learners learn what takes a minute, and who does not get there says so."""

import pytest

from benchmarks import learning, textbook
from influence_jax.config import ConfigError
from influence_jax.envs.probes import Cue
from tests.bench.answers import answer


@pytest.mark.slow
def test_a_budget_ends_the_wait(tmp_path):
    rows = answer(learning, tmp_path)["rows"]
    assert [row["learner"] for row in rows] == ["influence_jax", "textbook"]
    assert not any(row["reached"] for row in rows) and all(0 < row["last"] < 0.95 for row in rows)


def test_refusal():
    with pytest.raises(ConfigError, match="goals has 'Queue'; allowed: Cue"):
        learning.main(learning.Arguments(goals=("Queue",)))


@pytest.mark.slow
def test_the_textbook_learns_to_answer():
    env = Cue()
    for steps, metrics in textbook.train(env, env.default_params, seed=0, hidden=16):
        if steps >= 150_000:
            break
    assert metrics["agent_answers"].min() > 2 * env.horizon / env.num_actions  # twice as often as by chance
