"""What all influence models share: the seam to the learner, marginalisation, and the order of the other agents."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.fusion import fusion_boundary
from influence_jax.influence.measures import Measure
from influence_jax.types import ActorOutput, CachedActivations, CounterfactualBatch, HeadSample, Network, NetworkSpec


@dataclasses.dataclass(frozen=True)
class InfluenceModel:
    """One way to produce influence, as pure functions.

    ``decide(network, key, params, carry, memory, timestep) -> (ActorOutput, carry, memory)`` acts for all agents in one step of
    ``E`` environments; ``params`` and ``carry`` have a leading agent axis. ``auxiliary_batch(trajectory)`` gathers what
    ``auxiliary_loss(network, params, carry, features, batch, first, hparams) -> (loss, metrics)`` of one agent needs, with a
    leading agent axis; both are None for a model that learns nothing beside the policy.
    """

    network_spec: NetworkSpec
    init_memory: Callable[[int], Any]
    decide: Callable[..., tuple[ActorOutput, Any, Any]]
    auxiliary_batch: Callable[..., Any] | None = None
    auxiliary_loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]] | None = None
    paid_head: str = "action"  # whose reward influence is
    about_next_action: bool = False  # influence is on the others' next action, which a last step does not have
    about_last_symbol: bool = False  # influence is that of the symbol chosen one step before


def unmeasured(model: InfluenceModel) -> InfluenceModel:
    """Return a model that acts and learns alike, but whose influence nobody asks for, so that no work is done for it."""

    def decide(*args):
        output, carry, memory = model.decide(*args)
        nothing = jnp.zeros_like(output.influence)
        return output.replace(influence=nothing, mutual_information=nothing), carry, memory

    return dataclasses.replace(model, decide=decide)


@struct.dataclass
class PolicyStep:
    """What `act` did; leading axes [N,E]."""

    carry: Any  # after the step
    gates: jax.Array  # f32[N,E,4H], complete
    log_policy: dict[str, jax.Array]  # f32[N,E,A] or f32[N,E,M], by head
    samples: dict[str, HeadSample]


def log_marginal(batch: CounterfactualBatch) -> jax.Array:
    """Average the alternatives under the influencer's own policy: ``f32[*, J, A]``, log probabilities (equation 1)."""
    return few_last(_log_marginal(*joint(batch)), 2)


def _log_marginal(top: jax.Array, shares: jax.Array) -> jax.Array:  # f32[A, J, *]
    return top + jnp.log(shares.sum(axis=2))


def joint(batch: CounterfactualBatch) -> tuple[jax.Array, jax.Array]:
    """Return ``(top f32[A, J, *], shares f32[A, J, C, *])``: what k does together with how each j answers.

    Its probability is ``exp(top) shares``; the largest share is 1.
    """
    log_probs = few_first(batch.weights[..., None, None] + batch.alternatives, 3)
    top = jnp.maximum(log_probs.max(axis=2), jnp.finfo(jnp.float32).min)
    return top, jnp.exp(log_probs - top[:, :, None])


def pairwise_influence(batch: CounterfactualBatch, measure: Measure) -> jax.Array:
    """Return the influence of what k really did on each j, ``f32[*, J]``; no gradient passes."""
    marginal, along_first = _log_marginal(*joint(batch)), fusion_boundary(functools.partial(measure, axis=0))
    influence = few_last(along_first(few_first(batch.factual, 2), marginal, few_first(batch.realised, 1)), 1)
    return jax.lax.stop_gradient(jnp.where(batch.mask, influence, 0.0))


def mutual_information(batch: CounterfactualBatch) -> jax.Array:
    """Return the KL averaged over k's own policy, ``f32[*, J]``, nats: ``H(marginal) - sum_c pi_k(c) H(alternative c)``."""
    top, shares = joint(batch)
    known = jnp.sum(jnp.where(shares > 0, shares * few_first(batch.alternatives, 3), 0.0), axis=2)
    information = few_last(_information(_log_marginal(top, shares), jnp.exp(top) * known), 1)
    return jax.lax.stop_gradient(jnp.where(batch.mask, information, 0.0))


@fusion_boundary
def _information(marginal: jax.Array, known: jax.Array) -> jax.Array:  # f32[A, J, *] both
    return jnp.maximum(entropy(marginal) + known.sum(axis=0), 0.0)


def measured(batch: CounterfactualBatch, measure: Measure) -> tuple[jax.Array, jax.Array]:
    """Return `pairwise_influence` and `mutual_information`, which share most of their work."""
    return pairwise_influence(batch, measure), mutual_information(batch)


def entropy(log_probs: jax.Array) -> jax.Array:
    """Shannon entropy over the first axis, nats."""
    probs = jnp.exp(log_probs)
    return -jnp.sum(jnp.where(probs > 0, probs * log_probs, 0.0), axis=0)


def log_answers(logits: jax.Array, factual: jax.Array, symbol: jax.Array) -> jax.Array:
    """Return the log probabilities ``f32[*, C, J, A]`` of ``logits`` under every symbol.

    In the row of the ``symbol i32[*]`` really used stands the real answer ``factual f32[*, J, A]``, so that the two agree to
    the bit.
    """
    return few_last(_answers(_alternatives_first(logits), factual, symbol), 3)


@fusion_boundary
def _alternatives_first(logits: jax.Array) -> jax.Array:
    return few_first(logits, 3)


@fusion_boundary
def _answers(logits: jax.Array, factual: jax.Array, symbol: jax.Array) -> jax.Array:  # f32[A, J, C, *], the logits too
    really = symbol == jnp.arange(logits.shape[2]).reshape(-1, *(1,) * symbol.ndim)
    return jnp.where(really, few_first(factual, 2)[:, :, None], jax.nn.log_softmax(logits, axis=0))


def few_first(x: jax.Array, count: int) -> jax.Array:
    """Move the last ``count`` axes to the front, the very last first.

    Sums over alternatives and actions are over a few numbers each; with environments along the last axis, loops over those
    become vector instructions. Two moves in a row cost nothing, as the compiler cancels them.
    """
    axes = range(x.ndim)
    return x.transpose(*reversed(axes[x.ndim - count :]), *axes[: x.ndim - count])


def few_last(x: jax.Array, count: int) -> jax.Array:
    """Undo `few_first`."""
    axes = range(x.ndim)
    return x.transpose(*axes[count:], *reversed(axes[:count]))


def act(
    network: Network, key: jax.Array, params: Any, carry: Any, features: jax.Array, context: jax.Array
) -> PolicyStep:
    """Step the policies of any number of agents and sample from every head, one key per agent.

    ``features f32[N,E,F]``, ``context i32[N,E,L]``; everything returned is ``[N,E,...]`` too.
    """

    def one_agent(key, params, carry, features, context):
        gates = network.precompute(params, "policy", carry, features)
        carry, gates, heads = network.resolve(params, "policy", carry, gates, context)
        log_policy, samples = {}, {}
        for stream, head in enumerate(("action", "message") if "message" in heads else ("action",)):
            log_policy[head] = jax.nn.log_softmax(heads[head])
            policy = distrax.Categorical(logits=log_policy[head])
            symbol = policy.sample(seed=jax.random.fold_in(key, stream))
            samples[head] = HeadSample(symbol=symbol, log_prob=policy.log_prob(symbol), value=heads[f"{head}_value"])
        return PolicyStep(carry=carry, gates=gates, log_policy=log_policy, samples=samples)

    keys = jax.random.split(key, context.shape[0])
    return jax.vmap(one_agent)(keys, params, carry, features, context)


def activations(features: dict[str, jax.Array], carry: dict[str, Any]) -> dict[str, CachedActivations]:
    """Pair each branch's features and its state after the step, both ``[N,E,...]``, for `ActorOutput`."""
    return {
        branch: jax.tree.map(agents_first, CachedActivations(features=features[branch], carry=carry[branch]))
        for branch in carry
    }


def policy_counterfactuals(
    network, params, carry, gates, symbols, blocks, log_policy, action, weights, mask
) -> CounterfactualBatch:
    """One influencee's policy under everything that each influencer might have done; leading axes [K,E], J = 1.

    Args:
        network, params: of the influencee.
        carry: its recurrent state before the step, ``[E,H]``.
        gates: ``f32[E,4H]``, complete.
        symbols: ``i32[E,K]``, what the influencers did.
        blocks: ``i32[K]``, the block of its context that each of them holds.
        log_policy: ``f32[E,A]``, its real policy.
        action: ``i32[E]``, what it did.
        weights: ``f32[K,E,C]``, the influencers' policies over what they might have done.
        mask: ``bool[K,E]``, pairs that count.
    """
    num_influencers = symbols.shape[1]

    def answers_to(symbol, block):
        return network.alternatives(params, "policy", carry, gates, symbol, block)["action"]

    logits = jax.vmap(answers_to, in_axes=(1, 0))(symbols, blocks)[..., None, :]
    factual = jnp.broadcast_to(log_policy[:, None], (num_influencers, *log_policy[:, None].shape))
    return CounterfactualBatch(
        factual=factual,
        alternatives=log_answers(logits, factual, symbols.T),
        weights=weights,
        realised=jnp.broadcast_to(action[:, None], (num_influencers, *action.shape, 1)),
        mask=mask[..., None],
    )


def reset_at_first(first: jax.Array, carry: Any, previous: jax.Array) -> tuple[Any, jax.Array]:
    """At ``first bool[E]`` zero the carries ``[N,E,...]`` and mark the previous symbols ``i32[E,N]`` as none (-1)."""
    carry = jax.tree.map(lambda x: jnp.where(first[:, None], 0.0, x), carry)
    return carry, jnp.where(first[:, None], -1, previous)


def agents_first(x: jax.Array) -> jax.Array:
    """Exchange the environment and the agent axis."""
    return jnp.swapaxes(x, 0, 1)


def others(x: jax.Array) -> jax.Array:
    """For each agent the entries of the others, ascending: ``[E,N] -> [E,N,N-1]``."""
    return x[:, others_index(x.shape[1])]


def own_first(x: jax.Array) -> jax.Array:
    """For each agent its own entry, then those of the others: ``[E,N] -> [E,N,N]``."""
    return jnp.concatenate([x[..., None], others(x)], axis=-1)


def pairs_of_others(x: jax.Array) -> jax.Array:
    """Drop the diagonal: ``[..., N,N] -> [..., N,N-1]``."""
    n = x.shape[-1]
    return x[..., np.arange(n)[:, None], others_index(n)]


def insert_self(x: jax.Array) -> jax.Array:
    """Undo `pairs_of_others`, with zeros on the diagonal: ``[..., N,N-1] -> [..., N,N]``."""
    n = x.shape[-2]
    row, column = np.indices((n, n))
    source = np.where(row == column, n - 1, column - (column > row))
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 1)])[..., row, source]


def others_index(n: int) -> np.ndarray:
    """Return i32[N,N-1]: for each agent the others, ascending."""
    return np.array([[j for j in range(n) if j != k] for k in range(n)], dtype=np.int32).reshape(n, n - 1)
