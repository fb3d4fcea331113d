"""What influence models guarantee to the learner, and how pairs become rewards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import influence
from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.influence.counterfactual import pairwise_influence
from influence_jax.influence.measures import MEASURES
from influence_jax.influence.model import INFLUENCE_LIMIT, InfluenceModel
from influence_jax.types import CounterfactualBatch
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


def expected_gradient_of_pay(model, logits, policy, measure):
    """The policy gradient f32[A,A] of an influencee whose answer to k's action a is the softmax of ``logits[a]``.

    One game for each pair of actions, each with its probability.
    """
    a, b = np.indices((A, A)).reshape(2, -1)
    answers = jax.nn.log_softmax(logits)
    batch = CounterfactualBatch(
        factual=answers[a, None],
        alternatives=jnp.broadcast_to(answers[:, None], (A * A, A, 1, A)),
        weights=jnp.broadcast_to(jnp.log(policy), (A * A, A)),
        realised=jnp.asarray(b)[:, None],
        mask=jnp.ones((A * A, 1), bool),
    )
    pairs = jnp.zeros((1, A * A, 2, 2)).at[0, :, 0, 1].set(pairwise_influence(batch, measure)[:, 0])
    pay = model.influence_reward(rollout_of(pairs), None, Hyperparams(influencee_share=1.0))[0, :, 1]
    probability = policy[a] * jnp.exp(answers)[a, b]
    return jax.grad(lambda x: jnp.sum(probability * pay * jax.nn.log_softmax(x)[a, b]))(logits)


def information(logits, policy):
    """The mutual information of both actions, as a difference of entropies."""
    answers = jax.nn.softmax(logits)
    marginal = policy @ answers

    def entropy(p):
        return -jnp.sum(p * jnp.log(p), axis=-1)

    return entropy(marginal) - policy @ entropy(answers)


def test_an_influencee_paid_by_pmi_follows_the_gradient_of_mutual_information(model):
    keys = jax.random.split(jax.random.key(0))
    logits, policy = jax.random.normal(keys[0], (A, A)), jax.nn.softmax(jax.random.normal(keys[1], (A,)))
    expected = jax.grad(information)(logits, policy)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(expected_gradient_of_pay(model, logits, policy, MEASURES["pmi"]), expected, atol=1e-6)
    for name in MEASURES.keys() - {"pmi"}:  # distances do not depend on what the influencee does
        nothing = expected_gradient_of_pay(model, logits, policy, MEASURES[name])
        np.testing.assert_allclose(nothing, 0.0, atol=1e-6)


def test_a_model_without_a_measure_is_the_same_but_for_influence(model):
    silent = influence.make(InfluenceConfig(model="basic", measure="none"), 3, A)
    assert isinstance(silent, InfluenceModel) and silent.network_spec == model.network_spec
    assert repr(silent) == "InfluenceModel of 3 agents: no influence, source 'policies', lag 0"
    assert repr(model) == "InfluenceModel of 3 agents: influence of actions in kl, nats, source 'policies', lag 0"
