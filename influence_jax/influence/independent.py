"""Agents without influence: the A3C baseline, optionally told what the others did in the last step."""

import jax.numpy as jnp

from influence_jax.config import InfluenceConfig
from influence_jax.influence.acting import act, cached_activations, encode, no_actions, remember_actions, reset_actions
from influence_jax.influence.axes import agents_first, others
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import InfluenceModel
from influence_jax.types import ActorOutput, NetworkSpec


def independent(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the model in which nobody's influence is computed."""
    del measure

    def context(memory):
        return others(memory) if config.visible_actions else jnp.zeros((*memory.shape, 0), jnp.int32)

    def decide(network, key, params, carry, memory, timestep):
        carry, memory = reset_actions(timestep.first, carry, memory)
        known, features = context(memory), encode(network, params, timestep.observation)
        step = act(network, key, params, carry, features, agents_first(known))
        zeros = jnp.zeros((*memory.shape, num_agents), jnp.float32)
        output = ActorOutput(
            samples=agents_first(step.samples),
            context=known,
            influence=zeros,
            mutual_information=zeros,
            activations=cached_activations(features, step.carry),
        )
        return output, step.carry, output.action

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents - 1 if config.visible_actions else 0, context_symbols=num_actions
        ),
        init_memory=lambda num_envs: no_actions(num_envs, num_agents),
        reset=reset_actions,
        context=context,
        remember=remember_actions,
        decide=decide,
    )
