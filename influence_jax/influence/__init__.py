"""Influence models and measures; `make` builds the model that a configuration names."""

from collections.abc import Callable

from influence_jax.config import InfluenceConfig
from influence_jax.influence.basic import basic
from influence_jax.influence.communication import communication
from influence_jax.influence.independent import independent
from influence_jax.influence.intervention import intervention
from influence_jax.influence.measures import MEASURES, check
from influence_jax.influence.moa import moa
from influence_jax.influence.model import InfluenceModel, without_measure
from influence_jax.settings import built, implementation

# (config, num_agents, num_actions, measure) -> InfluenceModel
MODELS: dict[str, Callable[..., InfluenceModel]] = {
    "independent": independent,
    "basic": basic,
    "communication": communication,
    "moa": moa,
    "intervention": intervention,
}


def make(config: InfluenceConfig, num_agents: int, num_actions: int) -> InfluenceModel:
    """Build the influence model that ``config`` names, for ``num_agents`` agents with ``num_actions`` actions each.

    Raises:
        ConfigError: the model or the measure does not exist, or the model cannot be built for this many agents.
    """
    build = implementation("influence.model", config.model, MODELS)
    name = "kl" if config.measure == "none" else config.measure
    measure = implementation("influence.measure", name, MEASURES)
    model = built(
        f"influence.model {config.model!r}", lambda: build(config, num_agents, num_actions, measure), InfluenceModel
    )
    check(name, measure, config.model, realised_is_known=model.source == "policies")
    return without_measure(model) if config.measure == "none" else model
