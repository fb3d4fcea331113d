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


INFLUENCE = {
    "basic": InfluenceConfig(model="basic", num_influencers=1),
    "communication": InfluenceConfig(model="communication", num_messages=3),
    "intervention": InfluenceConfig(model="intervention"),
    "own basic": InfluenceConfig(model="tests.evaluation.own_models:basic", num_influencers=1),
    "own moa": InfluenceConfig(model="tests.evaluation.own_models:moa"),
}


class Runs(dict):
    """Made when somebody asks for one."""

    def __init__(self, config):
        self.config = config

    def __missing__(self, model):
        config = self.config
        if model != "moa":
            loud = Hyperparams(influence_weight=1.0)
            config = dataclasses.replace(config, influence=INFLUENCE[model], hyperparams=loud)
        self[model] = run_of(config)
        return self[model]


@pytest.fixture(scope="package")
def runs(tiny):
    """By influence model, the same small game with three agents."""
    return Runs(dataclasses.replace(tiny, env=dataclasses.replace(tiny.env, num_agents=3)))


@pytest.fixture(scope="package")
def trace(runs):
    """An episode of agents with models of one another, with the influence that they really had."""
    return runs["moa"].trace(0, seed=1, real=True)
