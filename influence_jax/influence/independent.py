"""Agents without influence: the A3C baseline, which may see the others' last actions."""

import jax.numpy as jnp

from influence_jax.config import InfluenceConfig
from influence_jax.influence.acting import last_actions
from influence_jax.influence.axes import others
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import InfluenceModel
from influence_jax.types import NetworkSpec


def independent(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the model in which no influence is computed."""

    def nothing(actions):
        return jnp.zeros((*actions.shape, 0), jnp.int32)

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents - 1 if config.visible_actions else 0, context_symbols=num_actions
        ),
        groups=(num_agents,),
        memory=last_actions(num_agents, context=others if config.visible_actions else nothing),
        measure=measure,
    )
