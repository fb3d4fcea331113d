"""How many members fit; the formula itself is measured in the benchmarks."""

import dataclasses

import pytest

from influence_jax.config import ConfigError
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.memory import device_memory, members_that_fit, memory_parts, peak_formula


def test_members_that_fit(tiny):
    learner = make_learner(tiny)
    state, one = memory_parts(learner)["state"], peak_formula(learner, 1)
    assert members_that_fit(learner, 8, 10**12) is None
    assert peak_formula(learner, 8) == 8 * one and peak_formula(learner, 8, 8) == 8 * one
    assert peak_formula(learner, 8, 2) == 16 * state + 2 * one
    assert members_that_fit(learner, 8, 8 * one) is None
    learner = make_learner(dataclasses.replace(tiny, learner=dataclasses.replace(tiny.learner, rollout_length=400)))
    state, one = memory_parts(learner)["state"], peak_formula(learner, 1)
    assert one > 10 * state
    assert members_that_fit(learner, 8, 8 * one - 1) == 4
    assert members_that_fit(learner, 8, 16 * state + 3 * one) == 2
    with pytest.raises(ConfigError, match=r"seeds is 2, 8 of them on a device.*allowed: 3 members on a device"):
        members_that_fit(learner, 8, 6 * state + one)
    with pytest.raises(ConfigError, match=r"allowed: fewer environments \(learner.num_envs\) or shorter rollouts"):
        members_that_fit(learner, 8, one - 1)
    assert device_memory() > 2**28
