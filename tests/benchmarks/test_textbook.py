"""The PPO that ours is compared with learns, or the comparison would mean nothing."""

import pytest

from benchmarks import textbook
from influence_jax.envs.probes import Cue


@pytest.mark.slow
def test_the_textbook_learns_to_answer():
    env = Cue()
    for steps, metrics in textbook.train(env, env.default_params, seed=0, hidden=16):
        if steps >= 150_000:
            break
    assert metrics["agent_answers"].min() > 2 * env.horizon / env.num_actions  # twice as often as by chance
