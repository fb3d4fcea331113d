"""Influence models and measures; `make` builds the one a configuration names."""

from influence_jax.config import InfluenceConfig
from influence_jax.influence.base import InfluenceModel
from influence_jax.influence.independent import independent
from influence_jax.influence.measures import MEASURES
from influence_jax.influence.moa import moa


def make(config: InfluenceConfig, num_agents: int, num_actions: int) -> InfluenceModel:
    """Build the configured influence model for ``num_agents`` agents with ``num_actions`` actions each."""
    if config.model == "independent":
        return independent(num_agents, num_actions, config.visible_actions)
    return moa(num_agents, num_actions, MEASURES[config.measure], config.moa_train_only_visible)
