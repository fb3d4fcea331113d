"""A learner on a probe, and its first update; compiled once for all modules."""

import jax
import pytest

from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import rollout
from tests.learner.worlds import probe_config, start_of, step_of


@pytest.fixture(scope="session")
def learner():
    return make_learner(probe_config())


@pytest.fixture(scope="session")
def state(learner):
    return start_of(learner)


@pytest.fixture(scope="session")
def played(learner, state):
    run = jax.jit(lambda m, s, k: rollout(learner, m, s, 14, k))
    return run(state.member, state.rollout_state, jax.random.key(5))


@pytest.fixture(scope="session")
def step(learner):
    return step_of(learner)
