"""How far apart the conditional and the marginal behaviour of an influencee are (equation 1 and section 3 of the paper).

Every measure takes natural-log probabilities ``factual f32[..., A]`` and ``marginal f32[..., A]`` and the realised symbol
``i32[...]``, and returns ``f32[...]``. Working on logarithms keeps small probabilities exact; softmax outputs are never 0.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Measure = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]

PMI_LIMIT = 10.0  # nats; a single draw has no other bound


def kl(factual: jax.Array, marginal: jax.Array, realised: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence of the marginal from the conditional, nats; at most ``-log pi_k(a_k)``."""
    del realised
    return jnp.maximum(jnp.sum(jnp.exp(factual) * (factual - marginal), axis=-1), 0.0)


def jsd(factual: jax.Array, marginal: jax.Array, realised: jax.Array) -> jax.Array:
    """Jensen-Shannon divergence, nats, in [0, log 2]; about a quarter of the KL for small effects."""
    middle = jnp.logaddexp(factual, marginal) - jnp.log(2.0)
    return 0.5 * (kl(factual, middle, realised) + kl(marginal, middle, realised))


def pmi(factual: jax.Array, marginal: jax.Array, realised: jax.Array) -> jax.Array:
    """Pointwise mutual information of the realised symbol, nats: an unbiased one-draw estimate of the KL, possibly negative."""
    ratio = jnp.take_along_axis(factual - marginal, realised[..., None], axis=-1)[..., 0]
    return jnp.clip(ratio, -PMI_LIMIT, PMI_LIMIT)


MEASURES: dict[str, Measure] = {"kl": kl, "jsd": jsd, "pmi": pmi}
