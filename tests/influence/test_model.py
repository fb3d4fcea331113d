"""What influence models guarantee to the learner, and how pairs become rewards."""

import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import influence
from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.influence.model import INFLUENCE_LIMIT, InfluenceModel
from tests.influence.worlds import rollout_of

A = 4


@pytest.fixture(scope="module")
def model():
    return influence.make(InfluenceConfig(model="basic"), 3, A)


def test_an_influencer_is_paid_for_all_it_influences(model):
    pairs = jnp.array([[[[0.0, 0.1, 0.2], [0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]]])
    reward = model.influence_reward(rollout_of(pairs), None, Hyperparams())
    np.testing.assert_allclose(reward[0, 0], [0.3, 0.0, INFLUENCE_LIMIT], rtol=1e-6)
    shared = model.influence_reward(rollout_of(pairs.at[..., 2, 0].set(0.0)), None, Hyperparams(influencee_share=0.5))
    np.testing.assert_allclose(shared[0, 0], [0.3, 0.05, 0.1], rtol=1e-6)


def test_a_model_without_a_measure_is_the_same_but_for_influence(model):
    silent = influence.make(InfluenceConfig(model="basic", measure="none"), 3, A)
    assert isinstance(silent, InfluenceModel) and silent.network_spec == model.network_spec
    assert repr(silent) == "InfluenceModel of 3 agents: no influence, source 'policies', lag 0"
    assert repr(model) == "InfluenceModel of 3 agents: influence of actions in kl, nats, source 'policies', lag 0"
