"""How far apart the conditional and the marginal behaviour of an influencee are (equation 1 and section 3 of the paper).

Every measure takes natural-log probabilities ``factual f32[..., A]`` and ``marginal f32[..., A]`` and the realised symbol
``i32[...]``, and returns ``f32[...]``; ``axis`` is where the actions are, if they are not last. The realised symbol is None
where it is not known yet, as for agents that predict the others' next actions. Working on logarithms keeps small
probabilities exact; softmax outputs are never 0.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError

Measure = Callable[..., jax.Array]

PMI_LIMIT = 10.0  # nats; a single draw has no other bound


def kl(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Kullback-Leibler divergence of the marginal from the conditional, nats; at most ``-log pi_k(a_k)``."""
    del realised
    probs = jnp.exp(factual)
    return jnp.maximum(jnp.sum(jnp.where(probs > 0, probs * (factual - marginal), 0.0), axis=axis), 0.0)


def jsd(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Jensen-Shannon divergence, nats, in [0, log 2]; about a quarter of the KL for small effects."""
    middle = jnp.logaddexp(factual, marginal) - jnp.log(2.0)
    return 0.5 * (kl(factual, middle, realised, axis) + kl(marginal, middle, realised, axis))


def pmi(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Pointwise mutual information of the realised symbol, nats: an unbiased one-draw estimate of the KL, possibly negative."""
    ratio = jnp.take_along_axis(factual - marginal, jnp.expand_dims(realised, axis), axis=axis).squeeze(axis)
    return jnp.clip(ratio, -PMI_LIMIT, PMI_LIMIT)


def tv(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Total variation distance, in [0, 1]."""
    del realised
    return 0.5 * jnp.sum(jnp.abs(jnp.exp(factual) - jnp.exp(marginal)), axis=axis)


def hellinger(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Squared Hellinger distance, in [0, 1]."""
    del realised
    return jnp.maximum(1.0 - jnp.sum(jnp.exp(0.5 * (factual + marginal)), axis=axis), 0.0)


def reverse_kl(factual: jax.Array, marginal: jax.Array, realised: jax.Array, axis: int = -1) -> jax.Array:
    """Kullback-Leibler divergence of the conditional from the marginal, nats; unlike `kl` without a bound."""
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


def label(measure: Measure) -> str:
    """Return the name of a measure, with its unit where it has one."""
    name = getattr(measure, "__name__", type(measure).__name__)
    return f"{name}, nats" if measure in IN_NATS else name


def check(name: str, measure: Measure, model: str, realised_is_known: bool) -> None:
    """Refuse a measure that fails, or that needs a realised symbol which the influence ``model`` does not know.

    Raises:
        ConfigError: so it is.
    """
    distribution, symbol = jax.ShapeDtypeStruct((2, 3), jnp.float32), jax.ShapeDtypeStruct((3,), jnp.int32)

    def problem(realised):
        try:
            jax.eval_shape(lambda *args: measure(*args, axis=0), distribution, distribution, realised)
        except Exception as error:
            return f"{type(error).__name__}: {error}".partition("\n")[0]

    if failure := problem(symbol):
        raise ConfigError(
            f"influence.measure {name!r} fails ({failure}); allowed is a function (factual, marginal, realised, axis)."
        )
    if not realised_is_known and problem(None):
        raise ConfigError(
            f"influence.measure {name!r} needs the action that the influencee takes next, which influence.model {model!r} does "
            "not know; allowed with it are measures that ignore `realised`, such as kl."
        )
