"""What influence models promise the learner, and how pairs become rewards."""

import dataclasses
import re

import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import influence
from influence_jax.config import ConfigError, InfluenceConfig
from influence_jax.influence.communication import influence_of_message
from influence_jax.influence.model import INFLUENCE_LIMIT, InfluenceModel
from influence_jax.types import ActorOutput, Trajectory

A = 4


def rollout_of(pairs, **changes):
    """A trajectory that holds nothing but influence f32[T,E,K,J]."""
    output = ActorOutput(samples={}, context=None, influence=pairs, mutual_information=2 * pairs)
    values = dict.fromkeys(field.name for field in dataclasses.fields(Trajectory)) | {"actor_output": output}
    return Trajectory(**(values | changes))


def bootstrap_of(pairs):
    return ActorOutput(samples={}, context=None, influence=pairs, mutual_information=pairs)


@pytest.fixture(scope="module")
def model():
    return influence.make(InfluenceConfig(model="basic"), 3, A)


def test_an_influencer_is_paid_for_all_it_influences(model):
    pairs = jnp.array([[[[0.0, 0.1, 0.2], [0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]]])
    reward = model.influence_reward(rollout_of(pairs), None)
    np.testing.assert_allclose(reward[0, 0], [0.3, 0.0, INFLUENCE_LIMIT], rtol=1e-6)
    shared = model.influence_reward(rollout_of(pairs.at[..., 2, 0].set(0.0)), None, 0.5)
    np.testing.assert_allclose(shared[0, 0], [0.3, 0.05, 0.1], rtol=1e-6)


def test_influence_is_credited_to_its_cause():
    pairs = jnp.arange(3.0).reshape(3, 1, 1, 1)
    credited = influence_of_message(rollout_of(pairs), bootstrap_of(jnp.full((1, 1, 1), 9.0)))
    np.testing.assert_array_equal(credited[:, 0, 0, 0], [1, 2, 9])


def test_no_influence_on_a_next_action_that_never_comes():
    model = influence.make(InfluenceConfig(model="moa"), 3, A)
    flags = {"truncated": jnp.array([[False], [True], [False]]), "discount": jnp.array([[1.0], [1.0], [0.0]])}
    credited = model.credited_influence(rollout_of(jnp.ones((3, 1, 3, 3)), **flags), None)
    np.testing.assert_array_equal(credited[:, 0, 0, 1], [1, 0, 0])


@pytest.mark.parametrize(
    ("config", "num_agents", "words"),
    [
        (InfluenceConfig(model="basic", num_influencers=3), 3, "influence.num_influencers is 3 with 3 agents"),
        (InfluenceConfig(model="moa"), 1, "influence.model is 'moa' with one agent"),
        (InfluenceConfig(model="mao"), 3, "Did you mean 'moa'?"),
        (InfluenceConfig(model="builtins:print"), 3, "which returned NoneType"),
        (InfluenceConfig(model="moa", measure="no.such:thing"), 3, "cannot be loaded"),
    ],
)
def test_refusals(config, num_agents, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        influence.make(config, num_agents, A)


def test_an_unmeasured_model_is_the_same_but_for_influence(model):
    silent = influence.make(InfluenceConfig(model="basic", measure="none"), 3, A)
    assert isinstance(silent, InfluenceModel) and silent.network_spec == model.network_spec
