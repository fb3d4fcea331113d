"""Basic influence (section 4 of the paper): influencers act first, and the others see what they did before acting.

Agents 0 to K-1 are influencers, the rest influencees. In the recurrent input of an influencee the blocks of the influencers
hold their actions of this very step and all other blocks those of the last one; for an influencer all blocks are of the last
step. Influence compares an influencee's real policy with its average over what one influencer might have done, everything
else held fixed. Everybody counts, seen or not.
"""

import functools

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError, InfluenceConfig
from influence_jax.influence.acting import (
    Influencers,
    act,
    cached_activations,
    encode,
    no_actions,
    policy_counterfactuals,
    remember_actions,
    reset_actions,
)
from influence_jax.influence.axes import agents_first, others
from influence_jax.influence.counterfactual import influence_and_information
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import InfluenceModel
from influence_jax.types import ActorOutput, NetworkSpec


def basic(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the centralised model with ``config.num_influencers`` agents acting first.

    Raises:
        ConfigError: nobody is left to be influenced.
    """
    num_influencers = config.num_influencers
    if num_influencers >= num_agents:
        raise ConfigError(
            f"influence.num_influencers is {num_influencers} with {num_agents} agents; allowed are whole numbers from 1 to "
            f"{num_agents - 1}, so that somebody is influenced."
        )

    def decide(network, key, params, carry, memory, timestep):
        carry, memory = reset_actions(timestep.first, carry, memory)
        context = others(memory)  # i32[E,N,N-1]; of an influencee's blocks, the first K are the influencers'
        features = encode(network, params, timestep.observation)
        influencer_key, influencee_key = jax.random.split(key)
        agents = params, carry, features
        influencers = functools.partial(jax.tree.map, lambda x: x[:num_influencers])
        influencees = functools.partial(jax.tree.map, lambda x: x[num_influencers:])

        first = act(network, influencer_key, *influencers(agents), agents_first(context)[:num_influencers])
        action = first.samples["action"].symbol  # i32[K,E]
        context = context.at[:, num_influencers:, :num_influencers].set(action.T[:, None])
        seen = agents_first(context)[num_influencers:]
        second = act(network, influencee_key, *influencees(agents), seen)

        acted = Influencers(
            symbol=seen[..., :num_influencers],
            block=jnp.arange(num_influencers, dtype=jnp.int32),
            log_policy=first.log_policy["action"],
            mask=jnp.broadcast_to(~timestep.last, action.shape),
        )
        axes = Influencers(symbol=0, block=None, log_policy=None, mask=None)
        batch = jax.vmap(policy_counterfactuals, in_axes=(None, 0, 0, 0, axes))(
            network, *influencees((params, carry["policy"])), second, acted
        )
        pairs = jax.vmap(influence_and_information, in_axes=(0, None))(batch, measure)
        influence, information = (_place(x, num_agents) for x in pairs)
        carry = jax.tree.map(lambda *x: jnp.concatenate(x), first.carry, second.carry)
        output = ActorOutput(
            samples=agents_first(jax.tree.map(lambda *x: jnp.concatenate(x), first.samples, second.samples)),
            context=context,
            influence=influence,
            mutual_information=information,
            activations=cached_activations(features, carry),
        )
        return output, carry, output.action

    return InfluenceModel(
        network_spec=NetworkSpec(num_actions, context_blocks=num_agents - 1, context_symbols=num_actions),
        init_memory=lambda num_envs: no_actions(num_envs, num_agents),
        reset=reset_actions,
        context=others,
        remember=remember_actions,
        decide=decide,
    )


def _place(pairs: jax.Array, num_agents: int) -> jax.Array:
    """Put ``[N-K,K,E,1]`` into the corner of ``[E,N,N]`` where influencers meet influencees."""
    num_influencers, num_envs = pairs.shape[1:3]
    corner = pairs[..., 0].transpose(2, 1, 0)
    zeros = jnp.zeros((num_envs, num_agents, num_agents), pairs.dtype)
    return zeros.at[:, :num_influencers, num_influencers:].set(corner)
