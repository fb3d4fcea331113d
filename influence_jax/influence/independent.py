"""Agents without influence: the A3C baseline, optionally told what the others did in the last step."""

import jax
import jax.numpy as jnp

from influence_jax.influence.base import InfluenceModel, act, activations, agents_first, others, reset_at_first
from influence_jax.types import ActorOutput, NetworkSpec


def independent(num_agents: int, num_actions: int, visible_actions: bool) -> InfluenceModel:
    """Return the model in which nobody's influence is computed."""

    def decide(network, key, params, carry, previous, timestep):
        carry, previous = reset_at_first(timestep.first, carry, previous)
        context = others(previous) if visible_actions else jnp.zeros((*previous.shape, 0), jnp.int32)
        features = jax.vmap(network.encode)(params, agents_first(timestep.observation))
        policy_step = act(network, key, params, carry["policy"], features["policy"], agents_first(context))
        nothing = jnp.zeros((*previous.shape, num_agents))
        output = ActorOutput(
            samples=jax.tree.map(agents_first, policy_step.samples),
            context=context,
            influence=nothing,
            mutual_information=nothing,
            activations=activations(features, {"policy": policy_step.carry}),
        )
        return output, {"policy": policy_step.carry}, output.action

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents - 1 if visible_actions else 0, context_symbols=num_actions
        ),
        init_memory=lambda num_envs: jnp.full((num_envs, num_agents), -1, jnp.int32),
        decide=decide,
    )
