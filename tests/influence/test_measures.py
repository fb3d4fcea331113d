"""Measures against distrax, their bounds, and the identities between them."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.influence import axes, counterfactual
from influence_jax.influence.measures import MEASURES, PMI_LIMIT, jsd, kl, pmi
from influence_jax.types import CounterfactualBatch

pytestmark = pytest.mark.usefixtures("compile_quickly")

NOBODY = jnp.zeros((200,), jnp.int32)


def log_softmax_draws(seed: int, shape: tuple[int, ...], spread: float = 2.0) -> jax.Array:
    return jax.nn.log_softmax(spread * jax.random.normal(jax.random.key(seed), shape))


def random_batch(seed: int, shape=(50, 3), c: int = 4, j: int = 2, a: int = 5) -> CounterfactualBatch:
    """Random policies and answers; the factual answer is one of the alternatives."""
    keys = jax.random.split(jax.random.key(seed), 4)
    alternatives = jax.nn.log_softmax(2.0 * jax.random.normal(keys[0], (*shape, c, j, a)))
    weights = jax.nn.log_softmax(jax.random.normal(keys[1], (*shape, c)))
    taken = jax.random.randint(keys[2], shape, 0, c)
    factual = jnp.take_along_axis(alternatives, taken[..., None, None, None], axis=-3)[..., 0, :, :]
    realised = jax.random.categorical(keys[3], factual)
    return CounterfactualBatch(factual, alternatives, weights, realised, jnp.ones((*shape, j), bool)), taken


def test_kl_is_distrax_kl():
    p, q = log_softmax_draws(0, (200, 6)), log_softmax_draws(1, (200, 6))
    expected = distrax.Categorical(logits=p).kl_divergence(distrax.Categorical(logits=q))
    np.testing.assert_allclose(kl(p, q, NOBODY), expected, atol=1e-5)


def test_jsd_is_symmetric_bounded_and_by_its_definition():
    p, q = log_softmax_draws(0, (200, 6), 6.0), log_softmax_draws(1, (200, 6), 6.0)
    value = jsd(p, q, NOBODY)
    np.testing.assert_allclose(value, jsd(q, p, NOBODY), atol=1e-6)
    assert 0 <= value.min() and value.max() <= np.log(2) + 1e-6
    x, y = np.exp(np.asarray(p, np.float64)), np.exp(np.asarray(q, np.float64))
    middle = (x + y) / 2
    expected = 0.5 * (x * np.log(x / middle)).sum(-1) + 0.5 * (y * np.log(y / middle)).sum(-1)
    np.testing.assert_allclose(value, expected, atol=1e-5)


def test_jsd_is_a_quarter_of_kl_for_small_effects():
    p = log_softmax_draws(0, (200, 6), 1.0)
    q = jax.nn.log_softmax(p + 0.02 * jax.random.normal(jax.random.key(3), p.shape))
    assert abs(float(jsd(p, q, NOBODY).mean() / kl(p, q, NOBODY).mean()) - 0.25) < 0.02


def test_further_measures_by_hand():
    p, q = jnp.log(jnp.array([[0.5, 0.5]])), jnp.log(jnp.array([[0.9, 0.1]]))
    here = jnp.array([0])
    np.testing.assert_allclose(MEASURES["tv"](p, q, here), [0.4], rtol=1e-6)
    np.testing.assert_allclose(MEASURES["hellinger"](p, q, here), [1 - np.sqrt(0.45) - np.sqrt(0.05)], rtol=1e-5)
    expected = distrax.Categorical(logits=q).kl_divergence(distrax.Categorical(logits=p))
    np.testing.assert_allclose(MEASURES["reverse_kl"](p, q, here), expected, rtol=1e-5)


@pytest.mark.parametrize("name", MEASURES)
def test_actions_on_any_axis(name):
    p, q, realised = (
        log_softmax_draws(1, (20, 3, 6)),
        log_softmax_draws(2, (20, 3, 6)),
        jnp.arange(60).reshape(20, 3) % 6,
    )
    first = MEASURES[name](jnp.moveaxis(p, -1, 0), jnp.moveaxis(q, -1, 0), realised, axis=0)
    np.testing.assert_allclose(first, MEASURES[name](p, q, realised), rtol=1e-5, atol=1e-7)


def test_equal_distributions_are_at_distance_zero():
    p = log_softmax_draws(0, (200, 6))
    for measure in MEASURES.values():
        np.testing.assert_allclose(measure(p, p, NOBODY), 0.0, atol=1e-6)


def test_pmi_averages_to_kl_and_is_clipped():
    p, q = log_softmax_draws(5, (6,)), log_softmax_draws(6, (6,))
    draws = jax.random.categorical(jax.random.key(0), p, shape=(40_000,))
    values = pmi(jnp.broadcast_to(p, (40_000, 6)), jnp.broadcast_to(q, (40_000, 6)), draws)
    error = 4 * float(values.std()) / 200
    assert abs(float(values.mean()) - float(kl(p, q, NOBODY))) < error
    assert values.min() < 0
    extreme = jnp.array([[0.0, -50.0]])
    assert pmi(extreme, extreme[:, ::-1], jnp.array([1]))[0] == -PMI_LIMIT


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


def test_order_of_the_others():
    x = jnp.array([[10, 11, 12]])
    np.testing.assert_array_equal(axes.others(x)[0], [[11, 12], [10, 12], [10, 11]])
    np.testing.assert_array_equal(axes.own_first(x)[0], [[10, 11, 12], [11, 10, 12], [12, 10, 11]])
    pairs = jnp.arange(9).reshape(1, 3, 3)
    np.testing.assert_array_equal(axes.drop_diagonal(pairs)[0], [[1, 2], [3, 5], [6, 7]])
    expected = np.where(np.eye(3), 0, np.arange(9).reshape(3, 3))
    np.testing.assert_array_equal(axes.insert_diagonal(axes.drop_diagonal(pairs))[0], expected)
    np.testing.assert_array_equal(axes.insert_diagonal(jnp.ones((1, 1, 0))), [[[0]]])
