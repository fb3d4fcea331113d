"""Small learners on a probe whose cues change in every step."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from influence_jax.config import EnvConfig, ExperimentConfig, Hyperparams, InfluenceConfig, LearnerConfig, NetworkConfig
from influence_jax.learner import train
from influence_jax.learner.rollout import rollout
from influence_jax.learner.update import update

PROBE = "influence_jax.envs.probes:"


def probe_config(env="Cue", model="moa", **changes) -> ExperimentConfig:
    config = ExperimentConfig(
        env=EnvConfig(name=PROBE + env, num_agents=3, horizon=6),
        network=NetworkConfig(conv_channels=2, hidden_size=8, core_size=8),
        influence=InfluenceConfig(model=model),
        learner=LearnerConfig(num_envs=4, rollout_length=5, optimizer="adam", reward_scaling="running_std"),
        hyperparams=Hyperparams(influence_weight=0.5 if model == "moa" else 0.0),
        total_steps=200,
        log_interval=2,
    )
    return dataclasses.replace(config, **changes)


@functools.lru_cache(maxsize=4)
def start_of(learner):
    """Return the first state."""
    return jax.jit(functools.partial(train.init, learner))(jax.random.key(0))


@functools.lru_cache(maxsize=4)
def played_of(learner):
    """Return what follows 14 steps from the first state: ``(rollout_state, trajectory, bootstrap)``."""
    state = start_of(learner)
    run = jax.jit(lambda m, s, k: rollout(learner, m, s, 14, k))
    return run(state.member, state.rollout_state, jax.random.key(5))


@functools.lru_cache(maxsize=4)
def step_of(learner):
    """Return an update as a function of the state, compiled once for all modules."""
    return jax.jit(lambda state: update(learner, state, 100.0))


def weighted(state, influence_weight):
    weight = jnp.full_like(state.hyperparams.influence_weight, influence_weight)
    return state.replace(hyperparams=state.hyperparams.replace(influence_weight=weight))


MODELS = {
    "basic": InfluenceConfig(model="basic", num_influencers=1),
    "communication": InfluenceConfig(model="communication", num_messages=4),
    "moa": InfluenceConfig(model="moa"),
    "intervention": InfluenceConfig(model="intervention", visible_actions=True),
}
