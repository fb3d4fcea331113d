"""Acting: how agents decide, shared by all influence models."""

from typing import Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.influence.axes import agents_first
from influence_jax.influence.counterfactual import influence_and_information, log_alternatives
from influence_jax.influence.model import InfluenceModel, Memory
from influence_jax.types import ActorOutput, CachedActivations, CounterfactualBatch, HeadSample, TimeStep


@struct.dataclass
class PolicyStep:
    """The result of one step of some agents' policies; leading axes [N,E]."""

    carry: dict[str, Any]  # recurrent state after the step of the branches "policy" and, if there is one, "critic"
    gates: jax.Array  # f32[N,E,4H], gates of the policy's core with all symbols added
    log_policy: dict[str, jax.Array]  # f32[N,E,A] or f32[N,E,M], by head
    samples: dict[str, HeadSample]


@struct.dataclass
class Step:
    """One step of all agents after everyone has chosen; counterfactuals are computed from it."""

    timestep: TimeStep  # leading E
    memory: Any  # before anyone acted, leading E
    carry: dict[str, Any]  # before anyone acted, by branch, leading [N,E]
    features: dict[str, jax.Array]  # f32[N,E,F], by branch
    context: jax.Array  # i32[N,E,L], the symbols that entered the policies
    policy: PolicyStep


@struct.dataclass
class Transition:
    """A step that the game has taken; interventions replay it with other actions."""

    keys: jax.Array  # [E], for random draws of the intervention itself, independent of the step's
    timestep: TimeStep  # before it, leading E
    output: ActorOutput  # what the agents did
    carry: dict[str, Any]  # after it, by branch, leading [N,E]
    memory: Any  # after it, leading E
    after: TimeStep  # what the agents perceive next, leading E


@struct.dataclass
class Influencers:
    """What each influencer of one influencee did, and its policy over the alternatives."""

    symbol: jax.Array  # i32[E,K], what it did
    block: jax.Array  # i32[K], the block of the influencee's context that holds it
    log_policy: jax.Array  # f32[K,E,C], its policy over the alternatives
    mask: jax.Array  # bool[K,E], pairs that count


def decide(
    model: InfluenceModel,
    network: Any,
    key: jax.Array,
    params: Any,
    carry: dict[str, Any],
    memory: Any,
    timestep: TimeStep,
    forced: dict[str, jax.Array] | None = None,
) -> tuple[ActorOutput, dict[str, Any], Any]:
    """Let all agents act in one step of ``E`` environments, group after group, and measure their influence.

    Args:
        model: the influence model.
        network: an `influence_jax.networks.protocol.Network`.
        key: for sampling.
        params: leading N.
        carry: recurrent states by branch, leading [N,E].
        memory: the influence model's memory, leading E.
        timestep: what the agents perceive, leading E.
        forced: by head, i32[E,N]: symbols that agents choose regardless of their policies; -1 leaves an agent free.

    Returns:
        ``(output, carry, memory)``, the latter two after the step.
    """
    if model.memory.disturb is not None:
        disturb_key, key = jax.random.split(key)
        memory = model.memory.disturb(disturb_key, memory)
    carry, memory = at_start(model.memory, timestep.first, carry, memory)
    features = encode(network, params, timestep.observation)
    forced = agents_first(forced or {})
    after, acted = memory, []
    keys = [key] if len(model.groups) == 1 else jax.random.split(key, len(model.groups))
    ends = np.cumsum(model.groups)
    for key, end, size in zip(keys, ends, model.groups, strict=True):
        agents = slice(int(end) - size, int(end))
        context = agents_first(model.memory.context(after))[agents]
        own_params, own_carry, own_features, own_forced = jax.tree.map(
            lambda x, agents=agents: x[agents], (params, carry, features, forced)
        )
        policy = act(network, key, own_params, own_carry, own_features, context, own_forced)
        after = model.memory.remember(after, agents, policy)
        acted.append((context, policy))
    context, policy = jax.tree.map(lambda x, *more: jnp.concatenate([x, *more]) if more else x, *acted)
    step = Step(timestep, memory, carry, features, context, policy)
    influence, information, own, predicted = measure_influence(model, network, params, step)
    carry = policy.carry | own
    output = ActorOutput(
        samples=agents_first(policy.samples),
        log_policy=agents_first(policy.log_policy),
        context=agents_first(context),
        influence=influence,
        mutual_information=information,
        activations={
            branch: agents_first(CachedActivations(features=features[branch], carry=carry[branch])) for branch in carry
        },
        predicted=predicted,
    )
    return output, carry, after


def measure_influence(
    model: InfluenceModel, network: Any, params: Any, step: Step
) -> tuple[jax.Array, jax.Array, dict[str, Any], jax.Array | None]:
    """Return ``(influence f32[E,K,J], mutual information f32[E,K,J], states of the model's own branches, predicted)`` of a step.

    ``predicted`` is as in `ActorOutput`, and None for a model that compares real policies.
    """
    num_envs, num_agents = step.timestep.reward.shape
    influence = information = jnp.zeros((num_envs, num_agents, num_agents), jnp.float32)
    if model.counterfactuals is None:
        return influence, information, {}, None
    batch, own = model.counterfactuals(network, params, step)
    if model.measure is not None:
        pairs = jax.vmap(influence_and_information, in_axes=(0, None, None))(batch, model.measure, model.marginal)
        influence, information = (model.place(x, step) for x in pairs)
    predicted = agents_first(batch.factual) if model.source == "own model" else None
    return influence, information, own, predicted


def act(
    network: Any,
    key: jax.Array,
    params: Any,
    carry: dict[str, Any],
    features: dict[str, jax.Array],
    context: jax.Array,
    forced: dict[str, jax.Array],
) -> PolicyStep:
    """Step the policies, and the critics that are branches of their own, and sample from every head with one key per agent.

    ``carry`` and ``features f32[N,E,F]`` are dictionaries by branch, ``context`` is i32[N,E,L], and all results lead with [N,E].
    ``forced``, i32[N,E] by head, replaces a sampled symbol unless it is -1.
    """

    def one_agent(key, params, carry, features, context, forced):
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
            policy: Any = distrax.Categorical(logits=log_policy[head])
            symbol = policy.sample(seed=jax.random.fold_in(key, stream)).astype(jnp.int32)
            if head in forced:
                symbol = jnp.where(forced[head] < 0, symbol, forced[head])
            samples[head] = HeadSample(
                symbol=symbol,
                log_prob=policy.log_prob(symbol),
                value=heads[f"{head}_value"],
                entropy=policy.entropy(),
            )
        return PolicyStep(carry=after, gates=gates, log_policy=log_policy, samples=samples)

    keys = jax.random.split(key, context.shape[0])
    return jax.vmap(one_agent)(keys, params, carry, features, context, forced)


def encode(network: Any, params: Any, observation: Any) -> dict[str, jax.Array]:
    """Return the features ``f32[N,E,F]`` of all agents, by branch, for observations ``[E,N,...]``."""
    return jax.vmap(network.encode)(params, agents_first(observation))


def at_start(memory: Memory, first: jax.Array, carry: Any, remembered: Any) -> tuple[Any, Any]:
    """Where ``first bool[E]`` holds, reset the carries ``[N,E,...]`` to zero and the memory to that of a new episode."""

    def reset(axis, new, old):
        return jnp.where(first.reshape(-1, *(1,) * (old.ndim - 1 - axis)), new, old)

    carry = jax.tree.map(lambda x: reset(1, jnp.zeros((), x.dtype), x), carry)
    return carry, jax.tree.map(lambda new, old: reset(0, new, old), memory.init(len(first)), remembered)


def last_actions(num_agents: int, context: Any) -> Memory:
    """Return a memory ``i32[E,N]`` of everyone's last action, -1 before the first; ``context`` is as in `Memory`."""
    return Memory(
        init=lambda num_envs: jnp.full((num_envs, num_agents), -1, jnp.int32),
        context=context,
        remember=lambda memory, agents, step: memory.at[:, agents].set(step.samples["action"].symbol.T),
    )


def policy_counterfactuals(
    network: Any, params: Any, carry: Any, step: PolicyStep, influencers: Influencers
) -> CounterfactualBatch:
    """Return one influencee's policy under every choice that each influencer could have made; leading axes [K,E], J = 1.

    ``carry`` is the influencee's recurrent state before the ``step``, with leading axis [E] in both.
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
