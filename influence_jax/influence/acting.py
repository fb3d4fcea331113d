"""What the influence models share while acting: stepping policies, memory of actions, and influencees' counterfactuals."""

from typing import Any

import distrax
import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.influence.axes import agents_first
from influence_jax.influence.counterfactual import log_alternatives
from influence_jax.types import CachedActivations, CounterfactualBatch, HeadSample


@struct.dataclass
class PolicyStep:
    """What stepping some agents' policies gave; leading axes [N,E]."""

    carry: dict[str, Any]  # by branch, "policy" and where there is one "critic": recurrent state after the step
    gates: jax.Array  # f32[N,E,4H], the policy's, with all symbols in them
    log_policy: dict[str, jax.Array]  # f32[N,E,A] or f32[N,E,M], by head
    samples: dict[str, HeadSample]


@struct.dataclass
class Influencers:
    """What each influencer of one influencee really did, and might have done."""

    symbol: jax.Array  # i32[E,K], what it did
    block: jax.Array  # i32[K], the block of the influencee's context that holds it
    log_policy: jax.Array  # f32[K,E,C], its policy over what it might have done
    mask: jax.Array  # bool[K,E], pairs that count


def act(
    network: Any, key: jax.Array, params: Any, carry: dict[str, Any], features: dict[str, jax.Array], context: jax.Array
) -> PolicyStep:
    """Step policies, and critics that are branches of their own, and sample from every head, one key per agent.

    ``carry`` and ``features f32[N,E,F]`` are by branch, ``context i32[N,E,L]``; everything returned is ``[N,E,...]`` too.
    """

    def one_agent(key, params, carry, features, context):
        def step(branch):
            before = network.precompute(params, branch, carry[branch], features[branch])
            return network.resolve(params, branch, carry[branch], before, context)

        after, gates, heads = step("policy")
        after = {"policy": after}
        if "critic" in carry:
            after["critic"], _, values = step("critic")
            heads = heads | values
        log_policy, samples = {}, {}
        for stream, head in enumerate(("action", "message") if "message" in heads else ("action",)):
            log_policy[head] = jax.nn.log_softmax(heads[head])
            policy = distrax.Categorical(logits=log_policy[head])
            symbol = policy.sample(seed=jax.random.fold_in(key, stream)).astype(jnp.int32)
            samples[head] = HeadSample(
                symbol=symbol,
                log_prob=policy.log_prob(symbol),
                value=heads[f"{head}_value"],
                entropy=policy.entropy(),
            )
        return PolicyStep(carry=after, gates=gates, log_policy=log_policy, samples=samples)

    keys = jax.random.split(key, context.shape[0])
    return jax.vmap(one_agent)(keys, params, carry, features, context)


def encode(network: Any, params: Any, observation: Any) -> dict[str, jax.Array]:
    """Return every agent's features by branch, ``f32[N,E,F]``, of observations ``[E,N,...]``."""
    return jax.vmap(network.encode)(params, agents_first(observation))


def cached_activations(features: dict[str, jax.Array], carry: dict[str, Any]) -> dict[str, CachedActivations]:
    """Pair each branch's features and its state after the step, both ``[N,E,...]``, for `ActorOutput`."""
    return {branch: agents_first(CachedActivations(features=features[branch], carry=carry[branch])) for branch in carry}


def no_actions(num_envs: int, num_agents: int) -> jax.Array:
    """Return i32[E,N]: the memory of actions before any was taken."""
    return jnp.full((num_envs, num_agents), -1, jnp.int32)


def remember_actions(memory: jax.Array, actions: jax.Array) -> jax.Array:
    """Return the memory of actions after a step."""
    del memory
    return actions


def reset_actions(first: jax.Array, carry: Any, memory: jax.Array) -> tuple[Any, jax.Array]:
    """At ``first bool[E]`` zero the carries ``[N,E,...]`` and mark the last symbols ``i32[E,N]`` as none (-1)."""
    carry = jax.tree.map(lambda x: jnp.where(first[:, None], jnp.zeros((), x.dtype), x), carry)
    return carry, jnp.where(first[:, None], -1, memory)


def policy_counterfactuals(
    network: Any, params: Any, carry: Any, step: PolicyStep, influencers: Influencers
) -> CounterfactualBatch:
    """One influencee's policy under everything that each influencer might have done; leading axes [K,E], J = 1.

    ``carry`` is the influencee's recurrent state before the ``step``, leading axis [E] in both.
    """

    def responses(symbol, block):
        return network.alternatives(params, "policy", carry, step.gates, symbol, block)["action"]

    logits = jax.vmap(responses, in_axes=(1, 0))(influencers.symbol, influencers.block)[..., None, :]
    log_policy, action = step.log_policy["action"][:, None], step.samples["action"].symbol
    num_influencers = influencers.symbol.shape[1]
    factual = jnp.broadcast_to(log_policy, (num_influencers, *log_policy.shape))
    return CounterfactualBatch(
        factual=factual,
        alternatives=log_alternatives(logits, factual, influencers.symbol.T),
        weights=influencers.log_policy,
        realised=jnp.broadcast_to(action[:, None], (num_influencers, *action.shape, 1)),
        mask=influencers.mask[..., None],
    )
