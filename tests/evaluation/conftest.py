"""Runs for all evaluation tests: untrained agents whose policies are far enough from uniform to influence each other."""

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
    "visible actions": InfluenceConfig(visible_actions=True),
    "basic": InfluenceConfig(model="basic", num_influencers=1),
    "communication": InfluenceConfig(model="communication", num_messages=3),
    "intervention": InfluenceConfig(model="intervention"),
    "released moa": InfluenceConfig(model="moa", moa_marginal="released"),
    "own basic": InfluenceConfig(model="tests.evaluation.own_models:basic", num_influencers=1),
    "own moa": InfluenceConfig(model="tests.evaluation.own_models:moa"),
}


class Runs(dict):
    """Runs by influence model, made on first use."""

    def __init__(self, config):
        self.config = config

    def __missing__(self, model):
        config = self.config
        if model != "moa":
            numbers = Hyperparams(influence_weight=0.0 if model == "visible actions" else 1.0)
            config = dataclasses.replace(config, influence=INFLUENCE[model], hyperparams=numbers)
        self[model] = run_of(config)
        return self[model]


@pytest.fixture(scope="session")
def runs(tiny):
    """The same small game with three agents, by influence model."""
    return Runs(dataclasses.replace(tiny, env=dataclasses.replace(tiny.env, num_agents=3)))


@pytest.fixture(scope="session")
def trace(runs):
    """An episode of agents with models of each other, with their real influence."""
    return runs["moa"].trace(0, seed=1, real=True)
