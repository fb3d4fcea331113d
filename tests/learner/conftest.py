"""A learner on a probe, and its first update."""

import functools

import jax
import pytest

from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import rollout
from influence_jax.learner.update import update
from tests.learner.worlds import probe_config


@pytest.fixture(scope="module")
def learner():
    return make_learner(probe_config())


@pytest.fixture(scope="module")
def state(learner):
    return jax.jit(functools.partial(train.init, learner))(jax.random.key(0))


@pytest.fixture(scope="module")
def played(learner, state):
    run = jax.jit(lambda m, s, k: rollout(learner, m, s, 14, k))
    return run(state.member, state.rollout_state, jax.random.key(5))


@pytest.fixture(scope="module")
def step(learner):
    return jax.jit(lambda state: update(learner, state, 100.0))
