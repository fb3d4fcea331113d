"""Learning on problems with known answers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import presets
from influence_jax.config import EnvConfig, ExperimentConfig, Hyperparams, InfluenceConfig, LearnerConfig, NetworkConfig
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import act
from influence_jax.runtime import population

pytestmark = pytest.mark.compile_fully

PROBE = "influence_jax.envs.probes:"


def learn(env: str, updates: int, model: str = "independent", horizon: int = 10, **hyperparams):
    """Train two members of two agents; return ``(learner, state, metrics of the last chunk)``."""
    config = ExperimentConfig(
        env=EnvConfig(name=PROBE + env, num_agents=2, horizon=horizon),
        network=NetworkConfig(conv_channels=6, hidden_size=32, core_size=32),
        influence=InfluenceConfig(model=model),
        learner=LearnerConfig(num_envs=32, rollout_length=10, optimizer="adam"),
        hyperparams=Hyperparams(
            **(
                {"learning_rate": 5e-3, "learning_rate_end": 5e-4, "gae_lambda": 0.9, "max_grad_norm": 1.0}
                | hyperparams
            )
        ),
        total_steps=updates * 320,
        seeds=2,
    )
    return trained(config)


def trained(config: ExperimentConfig):
    """Train in five chunks; return ``(learner, state, metrics of the last chunk)``."""
    updates = config.total_steps // config.steps_per_update
    learner = make_learner(dataclasses.replace(config, log_interval=updates // 5))
    state, chunk = population.init_population(learner), population.compile_chunk(learner)
    for _ in range(5):
        state, logs = chunk(state, jnp.float32(updates))
    return learner, state, jax.device_get(logs)


@pytest.mark.slow
def test_every_agent_answers_its_own_cue_beside_a_model_of_others():
    """The paper's shared critic works at a short horizon only: at .99 agents stay at chance, 3.3."""
    _, _, logs = learn("Cue", 200, "moa", discount=0.3)
    assert (logs["agent_returns"] > 9.5).all(), logs["agent_returns"]


@pytest.mark.parametrize(
    ("env", "profile", "num_envs", "rollout_length", "steps"),
    [
        pytest.param("Cue", "small", 64, 32, 6e4, marks=pytest.mark.slow),
        pytest.param("Recall", "small", 16, 16, 4e4, marks=pytest.mark.slow),
        pytest.param("Recall", "small", 64, 32, 9e4, marks=pytest.mark.slow),
        pytest.param("Recall", "large", 64, 64, 8e4, marks=pytest.mark.slow),
    ],
)
def test_probes_are_learned_with_the_settings_of_a_profile(env, profile, num_envs, rollout_length, steps):
    """At the games' discount, .99: to answer what is shown now, and what was shown at the start of the episode."""
    _, _, logs = trained(probe(env, profile, num_envs, rollout_length, steps))
    assert (logs["agent_returns"] > 9).all(), logs["agent_returns"]


def probe(env, profile, num_envs, rollout_length, steps, **params):
    """Return a profile's settings on a probe of two agents, two members."""
    config = presets.get("harvest-a3c", profile)
    return dataclasses.replace(
        config,
        env=EnvConfig(name=PROBE + env, num_agents=2, params=params),
        network=dataclasses.replace(config.network, core_size=32),
        learner=dataclasses.replace(config.learner, num_envs=num_envs, rollout_length=rollout_length),
        total_steps=int(steps),
        seeds=2,
    )


@pytest.mark.slow
def test_agents_unlearn_a_costly_act_and_still_see():
    """Under fines of 50 while all strike. A blind agent answers an eighth of the cues."""
    _, _, logs = trained(probe("Fines", "small", 16, 16, 5e4, hit_rate=0.9, cue_rate=0.5, query_rate=0.0))
    answered = logs["agent_answers"] / logs["agent_cues"]
    assert (answered > 0.3).all() and (logs["agent_strikes"] < 2).all(), (answered, logs["agent_strikes"])
    assert (logs["agent_sight"] > 0.2).all() and (logs["agent_saturated_policy"] < 0.5).all()


def acted_values(learner, state):
    """Values that the agents give to the states they are in, with the time of each: ``(f32[S,E,N], i32[S,E])``."""
    rollout_state = state.rollout_state

    def value(member, rollout_state):
        return act(learner, member, rollout_state, jax.random.key(0))[0].samples["action"].value

    return np.asarray(jax.vmap(value)(state.member, rollout_state)), np.asarray(rollout_state.env_state.time)


@pytest.mark.slow
def test_a_horizon_is_not_an_end():
    """A steady reward of 1 is worth 1 / (1 - gamma) at every step, the last one included."""
    learner, state, _ = learn("Stipend", 350, discount=0.8)
    values, _ = acted_values(learner, state)
    np.testing.assert_allclose(values, 1 / (1 - 0.8), rtol=0.1)


@pytest.mark.slow
def test_an_end_is_an_end():
    """With the game over after three steps the first is worth 1 + gamma + gamma^2, the last 1."""
    learner, state, _ = learn("Severance", 250, horizon=3, discount=0.8)
    values, time = acted_values(learner, state)
    for step, expected in enumerate((1 + 0.8 + 0.64, 1 + 0.8, 1.0)):
        np.testing.assert_allclose(values[time == step], expected, atol=0.25)
