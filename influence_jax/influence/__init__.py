"""Influence models and measures; `make` builds the one a configuration names."""

import dataclasses

from influence_jax.config import ConfigError, InfluenceConfig
from influence_jax.influence.base import InfluenceModel, unmeasured
from influence_jax.influence.basic import basic
from influence_jax.influence.communication import communication
from influence_jax.influence.independent import independent
from influence_jax.influence.measures import MEASURES
from influence_jax.influence.moa import moa


def make(config: InfluenceConfig, num_agents: int, num_actions: int) -> InfluenceModel:
    """Build the configured influence model for ``num_agents`` agents with ``num_actions`` actions each.

    Raises:
        ConfigError: a basic model has no influencee left, or a model of others no others.
    """
    if config.measure == "none":
        return unmeasured(make(dataclasses.replace(config, measure="kl"), num_agents, num_actions))
    measure = MEASURES[config.measure]
    match config.model:
        case "independent":
            return independent(num_agents, num_actions, config.visible_actions)
        case "basic":
            if config.num_influencers >= num_agents:
                raise ConfigError(
                    f"influence.num_influencers is {config.num_influencers} with {num_agents} agents; allowed are whole "
                    f"numbers from 1 to {num_agents - 1}, so that somebody is influenced."
                )
            return basic(num_agents, num_actions, config.num_influencers, measure)
        case "communication":
            return communication(num_agents, num_actions, config.num_messages, measure)
        case "moa":
            if num_agents < 2:
                raise ConfigError(
                    "influence.model is 'moa' with one agent; allowed are at least two, so that there are others."
                )
            return moa(num_agents, num_actions, measure, config.moa_train_only_visible)
