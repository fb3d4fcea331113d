"""Properties of influence and mutual information for any policies, and a game small enough to compute by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.influence import counterfactual
from influence_jax.influence.measures import jsd, kl, pmi
from influence_jax.types import CounterfactualBatch

NOBODY = jnp.zeros((200,), jnp.int32)


def random_batch(seed: int, shape=(50, 3), c: int = 4, j: int = 2, a: int = 5) -> CounterfactualBatch:
    """Random policies and answers; the factual answer is one of the alternatives."""
    keys = jax.random.split(jax.random.key(seed), 4)
    alternatives = jax.nn.log_softmax(2.0 * jax.random.normal(keys[0], (*shape, c, j, a)))
    weights = jax.nn.log_softmax(jax.random.normal(keys[1], (*shape, c)))
    taken = jax.random.randint(keys[2], shape, 0, c)
    factual = jnp.take_along_axis(alternatives, taken[..., None, None, None], axis=-3)[..., 0, :, :]
    realised = jax.random.categorical(keys[3], factual)
    return CounterfactualBatch(factual, alternatives, weights, realised, jnp.ones((*shape, j), bool)), taken


@pytest.mark.parametrize("seed", range(3))
def test_mean_influence_is_mutual_information(seed):
    batch, _ = random_batch(seed)
    marginal = counterfactual.log_marginal(batch)
    each = kl(batch.alternatives, marginal[..., None, :, :], NOBODY)
    mean = jnp.sum(jnp.exp(batch.weights)[..., None] * each, axis=-2)
    np.testing.assert_allclose(counterfactual.mutual_information(batch), mean, atol=1e-5)


def test_influence_never_exceeds_the_surprisal_of_the_influencer():
    batch, taken = random_batch(1)
    surprisal = -jnp.take_along_axis(batch.weights, taken[..., None], axis=-1)
    influence = counterfactual.pairwise_influence(batch, kl)
    assert influence.min() >= 0
    assert jnp.all(influence <= surprisal + 1e-5)


def test_deterministic_influencer_has_no_influence():
    batch, taken = random_batch(2)
    sure = jnp.where(jax.nn.one_hot(taken, 4, dtype=bool), 0.0, -200.0)
    batch = batch.replace(weights=jax.nn.log_softmax(sure))
    for measure in (kl, jsd, pmi):
        np.testing.assert_allclose(counterfactual.pairwise_influence(batch, measure), 0.0, atol=1e-6)


def test_masked_pairs_have_no_influence_and_no_others_change():
    batch, _ = random_batch(3)
    mask = batch.mask.at[..., 0].set(False)
    full, masked = (counterfactual.pairwise_influence(b, kl) for b in (batch, batch.replace(mask=mask)))
    assert not masked[..., 0].any()
    np.testing.assert_array_equal(masked[..., 1], full[..., 1])


def test_two_agent_game_by_hand():
    """k plays 0 with probability 3/4; j copies k with probability 4/5."""
    alternatives = jnp.log(jnp.array([[[0.8, 0.2]], [[0.2, 0.8]]]))
    batch = CounterfactualBatch(
        factual=alternatives[1],
        alternatives=alternatives,
        weights=jnp.log(jnp.array([0.75, 0.25])),
        realised=jnp.array([0]),
        mask=jnp.array([True]),
    )
    marginal = np.array([0.75 * 0.8 + 0.25 * 0.2, 0.75 * 0.2 + 0.25 * 0.8])  # 0.65, 0.35
    np.testing.assert_allclose(jnp.exp(counterfactual.log_marginal(batch))[0], marginal, rtol=1e-6)
    by_hand = 0.2 * np.log(0.2 / 0.65) + 0.8 * np.log(0.8 / 0.35)
    np.testing.assert_allclose(counterfactual.pairwise_influence(batch, kl), [by_hand], rtol=1e-5)
    np.testing.assert_allclose(counterfactual.pairwise_influence(batch, pmi), [np.log(0.2 / 0.65)], rtol=1e-5)


def test_released_marginal_pays_for_a_listener_that_ignores_the_speaker():
    """Jensen's gap of k's policy under j's, which only a uniform k escapes; the right marginal gives 0."""
    batch, _ = random_batch(4, c=5)
    ignored = batch.replace(alternatives=jnp.broadcast_to(batch.factual[..., None, :, :], batch.alternatives.shape))
    p, log_k = np.exp(np.asarray(batch.factual, np.float64)), np.asarray(batch.weights, np.float64)[..., None, :]
    gap = np.log((p * np.exp(log_k)).sum(-1)) - (p * log_k).sum(-1)
    assert gap.min() > 0.001 and gap.mean() > 0.1
    released = counterfactual.pairwise_influence(ignored, kl, counterfactual.released_marginal)
    np.testing.assert_allclose(released, gap, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(counterfactual.pairwise_influence(ignored, kl), 0.0, atol=1e-6)
    uniform = ignored.replace(weights=jnp.full_like(batch.weights, -jnp.log(5.0)))
    nothing = counterfactual.pairwise_influence(uniform, kl, counterfactual.released_marginal)
    np.testing.assert_allclose(nothing, 0.0, atol=1e-6)


@pytest.mark.parametrize("difference", [1e-4, 1e-3, 1e-2])
def test_small_information_is_no_rounding(difference):
    """Against float64: the difference of two entropies in float32 would be off by some 1e-7."""
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(100, 1, 1, 6)) + difference * random.normal(size=(100, 4, 1, 6))
    alternatives = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    weights = np.log(random.dirichlet(np.ones(4), 100))
    marginal = np.log((np.exp(weights)[..., None, None] * np.exp(alternatives)).sum(1, keepdims=True))
    each = (np.exp(alternatives) * (alternatives - marginal)).sum(-1)
    expected = (np.exp(weights)[..., None] * each).sum(1)
    batch = CounterfactualBatch(
        *(jnp.asarray(x, jnp.float32) for x in (alternatives[:, 0], alternatives, weights)),
        None,
        jnp.ones((100, 1), bool),
    )
    np.testing.assert_allclose(counterfactual.mutual_information(batch).mean(), expected.mean(), rtol=0.01)
