"""Counterfactual mathematics: average over an influencer's alternatives and compare (equations 1 and 3 of the paper)."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from influence_jax.fusion import fusion_boundary
from influence_jax.influence.axes import small_axes_first, small_axes_last
from influence_jax.influence.measures import Measure, divergence_terms
from influence_jax.settings import ConfigError
from influence_jax.types import CounterfactualBatch


def log_marginal(batch: CounterfactualBatch) -> jax.Array:
    """Return the log of the marginal policy, ``f32[*, J, A]``: alternatives averaged under k's policy (equation 1)."""
    return small_axes_last(_log_marginal(*_joint(batch)), 2)


def released_marginal(batch: CounterfactualBatch) -> jax.Array:
    """Return the log of what public code took for the marginal, ``f32[*, J, A]`` (docs/errata.md).

    It is proportional to ``pi_k(b) sum_a p(b | a)``: the policy of k multiplies the actions b of j instead of k's own actions a,
    of which there have to be as many. Compared with it, a j that ignores k still yields
    ``log E_p[pi_k] - E_p[log pi_k]``, which is positive unless k is uniform.
    """
    return jax.nn.log_softmax(jax.nn.logsumexp(batch.alternatives, axis=-3) + batch.weights[..., None, :])


Marginal = Callable[[CounterfactualBatch], jax.Array]


def pairwise_influence(batch: CounterfactualBatch, measure: Measure, marginal: Marginal | None = None) -> jax.Array:
    """Return the influence of k's actual choice on each j, ``f32[*, J]``, without gradient.

    ``marginal`` replaces `log_marginal`.
    """
    average = _log_marginal(*_joint(batch)) if marginal is None else small_axes_first(marginal(batch), 2)
    along_first_axis = fusion_boundary(functools.partial(measure, axis=0))
    factual = small_axes_first(batch.factual, 2)
    realised = None if batch.realised is None else small_axes_first(batch.realised, 1)
    influence = along_first_axis(factual, average, realised)
    if influence.shape != factual.shape[1:] or influence.dtype != factual.dtype:
        raise ConfigError(
            f"influence.measure returned {influence.dtype}{list(influence.shape)} for distributions "
            f"{factual.dtype}{list(factual.shape)} over the axis 0; allowed: {factual.dtype}{list(factual.shape[1:])}."
        )
    influence = small_axes_last(influence, 1)
    return jax.lax.stop_gradient(jnp.where(batch.mask, influence, 0.0))


def mutual_information(batch: CounterfactualBatch) -> jax.Array:
    """Return the KL averaged over k's own policy, ``f32[*, J]``, nats, without gradient."""
    top, shares = _joint(batch)
    weights = small_axes_first(jnp.exp(batch.weights), 1)[None, None]
    alternatives = small_axes_first(batch.alternatives, 3)
    information = small_axes_last(_information(_log_marginal(top, shares), alternatives, top, shares, weights), 1)
    return jax.lax.stop_gradient(jnp.where(batch.mask, information, 0.0))


def influence_and_information(
    batch: CounterfactualBatch, measure: Measure, marginal: Marginal | None
) -> tuple[jax.Array, jax.Array]:
    """Return `pairwise_influence` and `mutual_information`, which share most of their work."""
    return pairwise_influence(batch, measure, marginal), mutual_information(batch)


def log_alternatives(logits: jax.Array, factual: jax.Array, symbol: jax.Array) -> jax.Array:
    """Return the log probabilities ``f32[*, C, J, A]`` of ``logits`` under every symbol.

    The row of the symbol that was used, ``symbol i32[*]``, is the factual response ``factual f32[*, J, A]`` itself, so that both
    agree to the bit.
    """
    return small_axes_last(_with_factual(_small_axes_first(logits), factual, symbol), 3)


def _joint(batch: CounterfactualBatch) -> tuple[jax.Array, jax.Array]:
    """Return ``(top f32[A, J, *], shares f32[A, J, C, *])``, the joint distribution of k's choice and the response of each j.

    The probabilities are ``exp(top) * shares``; the largest share is 1.
    """
    log_probs = small_axes_first(batch.weights[..., None, None] + batch.alternatives, 3)
    top = jnp.maximum(log_probs.max(axis=2), jnp.finfo(jnp.float32).min)
    return top, jnp.exp(log_probs - top[:, :, None])


def _log_marginal(top: jax.Array, shares: jax.Array) -> jax.Array:  # f32[A, J, *]
    return top + jnp.log(shares.sum(axis=2))


@fusion_boundary
def _information(marginal, alternatives, top, shares, weights) -> jax.Array:
    marginal, joint = marginal[:, :, None], jnp.exp(top)[:, :, None] * shares  # f32[A, J, 1, *], f32[A, J, C, *]
    return divergence_terms(alternatives, marginal, joint, weights * jnp.exp(marginal)).sum(axis=(0, 2))


@fusion_boundary
def _small_axes_first(logits: jax.Array) -> jax.Array:
    return small_axes_first(logits, 3)


@fusion_boundary
def _with_factual(logits: jax.Array, factual: jax.Array, symbol: jax.Array) -> jax.Array:  # f32[A, J, C, *], logits too
    really = symbol == jnp.arange(logits.shape[2], dtype=jnp.int32).reshape(-1, *(1,) * symbol.ndim)
    return jnp.where(really, small_axes_first(factual, 2)[:, :, None], jax.nn.log_softmax(logits, axis=0))
