"""Agents without influence: the A3C baseline, optionally told what the others did in the last step."""

import jax
import jax.numpy as jnp

from influence_jax.influence.base import InfluenceModel, act, activity, agents_first, forget, others
from influence_jax.types import Decision, NetworkSpec


def independent(num_agents: int, num_actions: int, visible_actions: bool) -> InfluenceModel:
    """Return the model in which nobody's influence is computed."""

    def decide(network, key, params, carry, previous, timestep):
        carry, previous = forget(timestep.first, carry, previous)
        context = others(previous) if visible_actions else jnp.zeros((*previous.shape, 0), jnp.int32)
        features = jax.vmap(network.encode)(params, agents_first(timestep.observation))
        acted = act(network, key, params, carry["policy"], features["policy"], agents_first(context))
        nothing = jnp.zeros((*previous.shape, num_agents))
        decision = Decision(
            choices=jax.tree.map(agents_first, acted.choices),
            context=context,
            influence=nothing,
            mutual_information=nothing,
            activity=activity(features, {"policy": acted.carry}),
        )
        return decision, {"policy": acted.carry}, decision.action

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents - 1 if visible_actions else 0, context_symbols=num_actions
        ),
        init_memory=lambda num_envs: jnp.full((num_envs, num_agents), -1, jnp.int32),
        decide=decide,
    )
