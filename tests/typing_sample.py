"""What somebody who uses the package writes, with what a type checker should know of it; `test_typing` has it checked."""

from typing import Any, assert_type

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import influence_jax
from influence_jax import ExperimentConfig, Learner, Moment, Policy, Run, Sweep, TimeStep, Trace
from influence_jax.evaluation.policy import AgentState, Decision
from influence_jax.learner.state import LearnerState
from influence_jax.rewards import Shaper


def settings() -> ExperimentConfig:
    """Begin with a preset, change some settings, and one of the game."""
    config = influence_jax.presets.get("harvest-moa", profile="small")
    assert_type(config.learner.num_envs, int)
    assert_type(config.hyperparams.learning_rate, float)
    return config.override(num_envs=8, core_size=32, **{"env.params.hit_penalty": 0})


def watched(point: influence_jax.LogPoint) -> None:
    """Look at a run while it goes on."""
    assert_type(point.metrics, dict[str, np.ndarray])
    print(point.update, point.metrics["collective_return"].mean())


def train_and_look(config: ExperimentConfig) -> None:
    """Train, read back, evaluate and draw."""
    run = influence_jax.train(config, seeds=3, total_steps=1e6, out="runs/moa", callback=watched)
    assert_type(run, Run)
    assert_type(run.metrics, dict[str, np.ndarray])
    assert_type(run.members, list[dict[str, Any]])
    assert_type(run.config, ExperimentConfig)
    assert_type(run.evaluate(100).collective_return, np.ndarray)
    assert_type(run.intervene().correlation, np.ndarray)
    assert_type(influence_jax.consequences(run, steps=3).null, np.ndarray)
    assert_type(influence_jax.plot_learning_curves(run), Figure)
    assert_type(influence_jax.load("runs/moa"), Run | Sweep)
    learning_rates = influence_jax.grid(seeds=2, learning_rate=[1e-3, 3e-4])
    influence_jax.train("cleanup-a3c", hyperparams=learning_rates, callback=influence_jax.Progress())


def sweep(config: ExperimentConfig) -> None:
    """Try settings and take the best run."""
    found = influence_jax.sweep(config, grid={"learning_rate": [1e-3, 3e-4]}, out="runs/sweep")
    assert_type(found, Sweep)
    assert_type(found.best(1), list[dict[str, Any]])
    assert_type(found.runs[0], Run)
    assert_type([run.update for run in found.runs], list[int])


def episodes(run: Run) -> None:
    """Play one episode, with a stranger in it, and look at its moments."""

    def stay(key: jax.Array, env: Any, state: Any) -> jax.Array:
        return jnp.zeros(env.spec.num_agents, jnp.int32)

    policy = run.policy(member=0)
    trace = influence_jax.play([policy[0], policy[1], stay], seed=1)
    assert_type(policy, Policy)
    assert_type(trace, Trace)
    assert_type(trace.rewards, np.ndarray)
    assert_type(trace.metrics, dict[str, np.ndarray])
    assert_type(trace.moments(1), list[Moment])
    assert_type(trace.moments(1)[0].image(), Image.Image)
    trace.video("episode.gif", arrows=False)


def game(policy: Policy) -> None:
    """Step a game by hand, with agents and without."""
    env = influence_jax.make("cleanup", num_agents=3)
    state, timestep = env.reset(jax.random.key(0), env.default_params)
    assert_type(timestep, TimeStep)
    assert_type(timestep.observation, jax.Array)
    assert_type(env.spec.action_names, tuple[str, ...])
    decision, agents = policy.step(policy.start(), timestep, jax.random.key(1))
    assert_type(decision, Decision)
    assert_type(agents, AgentState)
    state, timestep = env.step(jax.random.key(2), state, decision.actions, env.default_params)
    assert_type(timestep.last, jax.Array)


def loop(config: ExperimentConfig) -> None:
    """Train by a loop of one's own."""
    learner = influence_jax.make_learner(config)
    assert_type(learner, Learner)
    assert_type(learner.shaper, Shaper)
    state = influence_jax.init(learner, jax.random.key(0))
    assert_type(state, LearnerState)
    state, metrics = influence_jax.train_step(learner, state)
    assert_type(metrics, dict[str, jax.Array])
