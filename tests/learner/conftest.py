"""A learner on a probe, and its first update; compiled once for all modules."""

import pytest

from influence_jax.learner.learner import make_learner
from tests.learner.worlds import played_of, probe_config, start_of, step_of


@pytest.fixture(scope="session")
def learner():
    return make_learner(probe_config())


@pytest.fixture(scope="session")
def state(learner):
    return start_of(learner)


@pytest.fixture(scope="session")
def played(learner):
    return played_of(learner)


@pytest.fixture(scope="session")
def step(learner):
    return step_of(learner)
