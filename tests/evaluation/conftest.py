"""A run for all tests of playing: untrained agents who are decided enough to influence one another."""

import dataclasses

import pytest

from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.population import init_population
from influence_jax.runtime.run import Run
from tests.influence.worlds import louder


def run_of(config):
    learner = make_learner(config)
    state = init_population(learner)
    return Run(learner, state.replace(params=louder(state.params)), 0, {}, [])


@pytest.fixture(scope="package")
def runs(tiny):
    """By influence model, the same small game with three agents."""
    env = dataclasses.replace(tiny.env, num_agents=3)

    def with_influence(influence):
        hyperparams = tiny.hyperparams if influence.model == "moa" else Hyperparams(influence_weight=1.0)
        return run_of(dataclasses.replace(tiny, env=env, influence=influence, hyperparams=hyperparams))

    return {
        "moa": with_influence(tiny.influence),
        "basic": with_influence(InfluenceConfig(model="basic", num_influencers=1)),
        "communication": with_influence(InfluenceConfig(model="communication", num_messages=3)),
    }
