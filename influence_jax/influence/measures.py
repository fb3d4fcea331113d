"""Measures of how far apart an influencee's conditional and marginal policies are (equation 1 and section 3 of the paper).

Every measure takes natural-log probabilities ``factual f32[..., A]`` and ``marginal f32[..., A]`` and the realised symbol
``i32[...]``, and returns ``f32[...]``. ``axis`` is the axis of the actions, the last by default. The realised symbol is None
if it is not known yet, as for agents that predict the others' next actions. Logarithms keep small probabilities exact;
softmax outputs are never 0.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import ConfigError

Measure = Callable[..., jax.Array]

PMI_LIMIT = 10.0  # nats; a single draw has no other bound


def divergence_terms(factual: jax.Array, marginal: jax.Array, p: jax.Array, q: jax.Array) -> jax.Array:
    """Return ``p log(p / q) - p + q`` for each symbol; every term is non-negative, and ``q - p`` sums to 0 over all symbols.

    ``factual`` and ``marginal`` are the logarithms of ``p`` and ``q``, up to one factor common to ``p`` and ``q``. Summing ``p
    log(p / q)`` alone would add numbers of both signs that nearly cancel, with an error of about 1e-7 in float32 even for
    identical distributions.
    """
    ratio = jnp.where(p > 0, factual - marginal, 1.0)
    series = jnp.square(ratio) * jnp.polyval(SERIES, ratio)
    return jnp.where(jnp.abs(ratio) < SMALL_RATIO, p * series, p * ratio - p + q)


SMALL_RATIO = 0.25  # of log ratios; above it the direct formula does not cancel
# r + expm1(-r) = r^2 (1/2! - r/3! + r^2/4! - ...), highest power first; exact in float32 below `SMALL_RATIO`.
SERIES = np.array([(-1.0) ** n / math.factorial(n) for n in range(8, 1, -1)], np.float32)


def kl(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Kullback-Leibler divergence of the marginal from the conditional, nats; at most ``-log pi_k(a_k)``."""
    del realised
    return jnp.sum(divergence_terms(factual, marginal, jnp.exp(factual), jnp.exp(marginal)), axis=axis)


def jsd(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Jensen-Shannon divergence, nats, in [0, log 2]; about a quarter of the KL for small effects."""
    middle = jnp.logaddexp(factual, marginal) - jnp.log(2.0)
    return 0.5 * (kl(factual, middle, realised, axis) + kl(marginal, middle, realised, axis))


def pmi(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Pointwise mutual information of the realised symbol, nats: an unbiased one-draw estimate of the KL that may be negative."""
    ratio = jnp.take_along_axis(factual - marginal, jnp.expand_dims(realised, axis), axis=axis).squeeze(axis)
    return jnp.clip(ratio, -PMI_LIMIT, PMI_LIMIT)


def tv(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Total variation distance, in [0, 1]."""
    del realised
    larger = jnp.exp(jnp.maximum(factual, marginal))
    return 0.5 * jnp.sum(-larger * jnp.expm1(-jnp.abs(factual - marginal)), axis=axis)


def hellinger(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Squared Hellinger distance, in [0, 1]."""
    del realised
    larger = jnp.exp(jnp.maximum(factual, marginal))
    return 0.5 * jnp.sum(larger * jnp.square(jnp.expm1(-0.5 * jnp.abs(factual - marginal))), axis=axis)


def reverse_kl(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Kullback-Leibler divergence of the conditional from the marginal, nats; unlike `kl` it is unbounded."""
    return kl(marginal, factual, realised, axis)


MEASURES: dict[str, Measure] = {
    "kl": kl,
    "jsd": jsd,
    "pmi": pmi,
    "tv": tv,
    "hellinger": hellinger,
    "reverse_kl": reverse_kl,
}
IN_NATS = frozenset({kl, jsd, pmi, reverse_kl})  # the others have no unit
BOUNDED = frozenset({kl, jsd, pmi, tv, hellinger})  # by how probable the influencer's choice is


def label(measure: Measure) -> str:
    """Return the name of a measure, with its unit if it has one."""
    name = getattr(measure, "__name__", type(measure).__name__)
    return f"{name}, nats" if measure in IN_NATS else name


def bound(measure: Measure | None, probability: float) -> float | None:
    """Return the largest influence of a choice that its agent makes with this ``probability``; None if it is not known.

    It is that on an influencee who answers all other choices in ways in which it never answers this one: -log probability for
    `kl` and `pmi`.
    """
    if measure is None or measure not in BOUNDED:
        return None
    probability = min(probability, 1 - 1e-7)  # of two answers, the first is to this choice and the second to all others
    factual, marginal = jnp.array([0.0, -jnp.inf]), jnp.log(jnp.array([probability, 1 - probability]))
    return float(measure(factual, marginal, jnp.int32(0)))


def check(name: str, measure: Measure, model: str, realised_is_known: bool) -> None:
    """Refuse a measure that fails, or that needs a realised symbol which the influence ``model`` does not know.

    Raises:
        ConfigError: the measure is refused.
    """
    distribution, symbol = jax.ShapeDtypeStruct((2, 3), jnp.float32), jax.ShapeDtypeStruct((3,), jnp.int32)

    def problem(realised):
        try:
            jax.eval_shape(lambda *args: measure(*args, axis=0), distribution, distribution, realised)
        except Exception as error:
            return f"{type(error).__name__}: {error}".partition("\n")[0]

    if failure := problem(symbol):
        raise ConfigError(
            f"influence.measure {name!r} fails ({failure}); allowed: a function (factual, marginal, realised, axis)."
        )
    if not realised_is_known and problem(None):
        raise ConfigError(
            f"influence.measure {name!r} needs the action that the influencee takes next, which influence.model {model!r} does "
            "not know; allowed: measures that ignore `realised`, such as kl."
        )
