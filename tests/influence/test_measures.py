"""Measures against distrax, their bounds, and the identities between them."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.influence.measures import MEASURES, PMI_LIMIT, bound, jsd, kl, pmi

NOBODY = jnp.zeros((200,), jnp.int32)


def log_softmax_draws(seed: int, shape: tuple[int, ...], spread: float = 2.0) -> jax.Array:
    return jax.nn.log_softmax(spread * jax.random.normal(jax.random.key(seed), shape))


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
    for name, measure in MEASURES.items():
        np.testing.assert_allclose(measure(p, p, NOBODY), 0.0, atol=1e-13 if name == "jsd" else 0)


def test_pmi_averages_to_kl_and_is_clipped():
    p, q = log_softmax_draws(5, (6,)), log_softmax_draws(6, (6,))
    draws = jax.random.categorical(jax.random.key(0), p, shape=(40_000,))
    values = pmi(jnp.broadcast_to(p, (40_000, 6)), jnp.broadcast_to(q, (40_000, 6)), draws)
    error = 4 * float(values.std()) / 200
    assert abs(float(values.mean()) - float(kl(p, q, NOBODY))) < error
    assert values.min() < 0
    extreme = jnp.array([[0.0, -50.0]])
    assert pmi(extreme, extreme[:, ::-1], jnp.array([1]))[0] == -PMI_LIMIT


def exact(name, p, q):
    """Compute a measure in float64 from probabilities."""
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    return {
        "kl": lambda: (p * np.log(p / q)).sum(-1),
        "reverse_kl": lambda: (q * np.log(q / p)).sum(-1),
        "jsd": lambda: 0.5 * ((p * np.log(2 * p / (p + q))).sum(-1) + (q * np.log(2 * q / (p + q))).sum(-1)),
        "tv": lambda: 0.5 * np.abs(p - q).sum(-1),
        "hellinger": lambda: 0.5 * np.square(np.sqrt(p) - np.sqrt(q)).sum(-1),
    }[name]()


@pytest.mark.parametrize("difference", [1e-4, 1e-3, 1e-2, 0.25, 3.0])
@pytest.mark.parametrize("name", ["kl", "reverse_kl", "jsd", "tv", "hellinger"])
def test_small_differences_are_measured_and_not_rounding(name, difference):
    """The KL of logits 1e-4 apart is 1e-9 nats; summing ``p log(p/q)`` in float32 has an error of up to 1e-7."""
    random = np.random.default_rng(0)
    logits = 2 * random.normal(size=(300, 8))
    p, q = (
        x - np.log(np.exp(x).sum(-1, keepdims=True))
        for x in (logits, logits + difference * random.normal(size=logits.shape))
    )
    expected = exact(name, np.exp(p), np.exp(q))
    found = MEASURES[name](jnp.asarray(p, jnp.float32), jnp.asarray(q, jnp.float32), NOBODY)
    assert (found >= 0).all()
    # What is left is that float32 logits themselves are off by some 1e-7.
    np.testing.assert_allclose(found.mean(), expected.mean(), rtol=2e-3)
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=2e-7 * max(difference, 1e-3) if name != "tv" else 2e-7)


def test_certain_and_impossible_actions():
    p, q = jnp.array([0.0, -1e9, -1e9]), jnp.log(jnp.array([0.25, 0.5, 0.25]))
    np.testing.assert_allclose(kl(p, q, None), np.log(4), rtol=1e-6)
    np.testing.assert_allclose(MEASURES["tv"](p, q, None), 0.75, rtol=1e-6)
    np.testing.assert_allclose(MEASURES["hellinger"](p, q, None), 0.5, rtol=1e-6)
    unlikely = jnp.array([0.0, -120.0])  # below the smallest float32
    np.testing.assert_allclose(kl(unlikely[::-1], unlikely, None), 120.0, rtol=1e-6)


@pytest.mark.parametrize("name", ["kl", "jsd", "pmi", "tv", "hellinger"])
def test_no_influence_is_above_its_bound_and_disjoint_answers_reach_it(name):
    measure, probability = MEASURES[name], 0.3
    conditional, others = (np.exp(np.asarray(log_softmax_draws(seed, (200, 6), 9.0))) for seed in (0, 1))

    def influence(conditional, others):
        marginal = probability * conditional + (1 - probability) * others
        with np.errstate(divide="ignore"):
            return np.asarray(measure(np.log(conditional), np.log(marginal), conditional.argmax(axis=-1)))

    most = bound(measure, probability)
    assert influence(conditional, others).max() <= most * (1 + 1e-5)
    np.testing.assert_allclose(
        influence(np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32)[1:]), most, rtol=1e-5
    )


def test_bounds_that_are_known():
    assert bound(kl, 0.2) == pytest.approx(-np.log(0.2)) == bound(pmi, 0.2)
    assert bound(MEASURES["reverse_kl"], 0.2) is None and bound(None, 0.2) is None
    assert bound(kl, 1.0) == pytest.approx(0, abs=1e-6)
