"""Influence models are made by name; what cannot be made is refused in one sentence."""

import re

import pytest

from influence_jax import influence
from influence_jax.config import ConfigError, InfluenceConfig
from influence_jax.influence.model import InfluenceModel

A = 4


@pytest.mark.parametrize(
    ("config", "num_agents", "words"),
    [
        (InfluenceConfig(model="basic"), 1, "influence.model is 'basic' with one agent; allowed: at least two"),
        (InfluenceConfig(model="basic", num_influencers=3), 3, "influence.num_influencers is 3 with 3 agents"),
        (InfluenceConfig(model="moa"), 1, "influence.model is 'moa' with one agent"),
        (InfluenceConfig(model="communication"), 1, "influence.model is 'communication' with one agent"),
        (InfluenceConfig(model="mao"), 3, "Did you mean 'moa'?"),
        (InfluenceConfig(model="builtins:print"), 3, "returned NoneType"),
        (InfluenceConfig(model="moa", measure="no.such:thing"), 3, "cannot be loaded"),
        (
            InfluenceConfig(model="tests.evaluation.own_models:moa", measure="pmi"),
            3,
            "influence.measure 'pmi' needs the action that the influencee takes next",
        ),
        (InfluenceConfig(model="basic", measure="math:hypot"), 3, "influence.measure 'math:hypot' fails (TypeError"),
    ],
)
def test_refusals(config, num_agents, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        influence.make(config, num_agents, A)


def test_every_name_makes_a_model():
    for name in influence.MODELS:
        model = influence.make(InfluenceConfig(model=name), 3, A)
        assert isinstance(model, InfluenceModel) and model.network_spec.num_actions == A
