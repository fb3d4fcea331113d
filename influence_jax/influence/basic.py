"""Basic influence (section 4 of the paper): influencers act first, and the others see what they did before acting.

Agents 0 to K-1 are influencers, the rest influencees. In the recurrent input of an influencee the blocks of the influencers
hold their actions of this very step and all other blocks those of the last one; for an influencer all blocks are of the last
step. Influence compares an influencee's real policy with its average over what one influencer might have done, everything
else held fixed. Everybody counts, seen or not.
"""

import functools

import jax
import jax.numpy as jnp

from influence_jax.influence import base
from influence_jax.influence.base import InfluenceModel
from influence_jax.influence.measures import Measure
from influence_jax.types import ActorOutput, NetworkSpec


def basic(num_agents: int, num_actions: int, num_influencers: int, measure: Measure) -> InfluenceModel:
    """Return the centralised model with ``num_influencers`` agents acting first."""

    def decide(network, key, params, carry, previous, timestep):
        carry, previous = base.reset_at_first(timestep.first, carry, previous)
        context = base.others(previous)  # i32[E,N,N-1]; of an influencee's blocks, the first K are the influencers'
        features = jax.vmap(network.encode)(params, base.agents_first(timestep.observation))
        lead_key, follow_key = jax.random.split(key)
        agents = params, carry["policy"], features["policy"]
        lead = functools.partial(jax.tree.map, lambda x: x[:num_influencers])
        follow = functools.partial(jax.tree.map, lambda x: x[num_influencers:])

        led = base.act(network, lead_key, *lead(agents), base.agents_first(context)[:num_influencers])
        action = led.samples["action"].symbol  # i32[K,E]
        context = context.at[:, num_influencers:, :num_influencers].set(action.T[:, None])
        seen = base.agents_first(context)[num_influencers:]
        followed = base.act(network, follow_key, *follow(agents), seen)

        batch = jax.vmap(base.policy_counterfactuals, in_axes=(None, 0, 0, 0, 0, None, 0, 0, None, None))(
            network,
            *follow(agents[:2]),
            followed.gates,
            seen[..., :num_influencers],
            jnp.arange(num_influencers),
            followed.log_policy["action"],
            followed.samples["action"].symbol,
            led.log_policy["action"],
            jnp.broadcast_to(~timestep.last, action.shape),
        )
        pairwise = jax.vmap(base.measured, in_axes=(0, None))(batch, measure)
        influence, information = (place(x, num_agents) for x in pairwise)
        samples = jax.tree.map(lambda *x: base.agents_first(jnp.concatenate(x)), led.samples, followed.samples)
        carry = jax.tree.map(lambda *x: jnp.concatenate(x), led.carry, followed.carry)
        output = ActorOutput(
            samples=samples,
            context=context,
            influence=influence,
            mutual_information=information,
            activations=base.activations(features, {"policy": carry}),
        )
        return output, {"policy": carry}, output.action

    return InfluenceModel(
        network_spec=NetworkSpec(num_actions, context_blocks=num_agents - 1, context_symbols=num_actions),
        init_memory=lambda num_envs: jnp.full((num_envs, num_agents), -1, jnp.int32),
        decide=decide,
    )


def place(pairs: jax.Array, num_agents: int) -> jax.Array:
    """Put ``[N-K,K,E,1]`` into the corner of ``[E,N,N]`` where influencers meet influencees."""
    leaders, num_envs = pairs.shape[1:3]
    corner = pairs[..., 0].transpose(2, 1, 0)
    return jnp.zeros((num_envs, num_agents, num_agents)).at[:, :leaders, leaders:].set(corner)
