"""Steps and seconds until agents have learned something: probes answered, sight on Harvest, returns; beside a textbook PPO."""

import collections
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import rich.box
from rich.console import Console
from rich.table import Table

import influence_jax
from benchmarks import textbook
from influence_jax.bench.harness import save
from influence_jax.config import ConfigError, ExperimentConfig, nearest
from influence_jax.learner.learner import make_learner

Metrics = dict[str, np.ndarray]
WINDOW = 3  # log points in a row over which a goal is averaged
PROBE = "influence_jax.envs.probes:"


@dataclasses.dataclass(frozen=True)
class Goal:
    """A number that agents should reach in a game."""

    preset: str
    settings: dict[str, Any]
    reached: float
    of: Callable[[Metrics], float]  # of the metrics of a log point
    budget: float  # environment steps, after which we stop waiting; schedules refer to it


def _answered(metrics: Metrics) -> float:
    """Return the worst agent's fraction of cues answered; where every step shows a cue, of the 10 steps of an episode."""
    return float((metrics["agent_answers"] / metrics.get("agent_cues", 10)).min())


def _returned(metrics: Metrics) -> float:
    return float(metrics["collective_return"])


GOALS = {
    "Cue: .95 answered": Goal("harvest-a3c", {"env.name": f"{PROBE}Cue"}, 0.95, _answered, 2e5),
    "Recall: .95 answered": Goal("harvest-a3c", {"env.name": f"{PROBE}Recall"}, 0.95, _answered, 4e5),
    "Fines: .95 answered": Goal("harvest-a3c", {"env.name": f"{PROBE}Fines"}, 0.95, _answered, 1e6),
    "Harvest: sight .3": Goal("harvest-a3c", {}, 0.3, lambda metrics: float(metrics["agent_sight"].min()), 1e6),
    "Harvest: return 600": Goal("harvest-a3c", {}, 600, _returned, 1e6),
    "prosocial Cleanup: return 300": Goal("cleanup-prosocial", {}, 300, _returned, 2e7),
    "prosocial Cleanup: return 500": Goal("cleanup-prosocial", {}, 500, _returned, 2e7),
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to learn."""

    goals: tuple[str, ...] = tuple(GOALS)[:4]
    """Which goals; the others take hours on a CPU."""
    profile: str = "small"
    """Profile of our learner."""
    learners: tuple[str, ...] = ("influence_jax", "textbook")
    """Ours, and a PPO written by the book, whose agents are selfish."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One run each."""
    budget: float | None = None
    """Environment steps after which we stop waiting, instead of each goal's own."""
    out: pathlib.Path | None = None
    """Directory for learning.json."""


SMOKE = ("--goals", "Cue: .95 answered", "--seeds", "0", "--budget", "100")


def main(arguments: Arguments) -> None:
    """Run every learner on every goal until it is reached, or the budget is spent."""
    for name, values, allowed in (("goals", arguments.goals, GOALS), ("learners", arguments.learners, LEARNERS)):
        for value in values:
            if value not in allowed:
                raise ConfigError(
                    f"{name} has {value!r}; allowed: {', '.join(allowed)}.{nearest(value, list(allowed))}"
                )
    prosocial = [goal for goal in arguments.goals if GOALS[goal].preset == "cleanup-prosocial"]
    if prosocial and "textbook" in arguments.learners:
        raise ConfigError(
            f"learners has 'textbook', whose agents are selfish, with the goal {prosocial[0]!r}; allowed: influence_jax."
        )
    title, rows = f"Steps and seconds to a goal, profile {arguments.profile}", []
    for goal in arguments.goals:
        for learner in arguments.learners:
            for seed in arguments.seeds:
                rows.append(
                    {"goal": goal, "learner": learner, "seed": seed} | wait(GOALS[goal], learner, seed, arguments)
                )
                save(arguments.out, "learning", title, rows=rows)
    table = Table("goal", "learner", "steps", "seconds", "in the end", title=title, box=rich.box.SIMPLE)
    for row in rows:
        reached = row["reached"]
        cells = f"{row['steps']:,}" if reached else "not reached", f"{row['seconds']:.0f}" if reached else ""
        table.add_row(row["goal"], f"{row['learner']}, seed {row['seed']}", *cells, f"{row['last']:.2f}")
    Console().print(table)


def wait(goal: Goal, learner: str, seed: int, arguments: Arguments) -> dict[str, Any]:
    """Return what one run took, compilation included."""
    budget = int(arguments.budget or goal.budget)
    config = influence_jax.presets.get(goal.preset, arguments.profile).override(
        total_steps=budget, seed=seed, **goal.settings
    )
    begun, last = time.perf_counter(), collections.deque(maxlen=WINDOW)
    steps, reached = 0, False
    for steps, metrics in LEARNERS[learner](config):
        last.append(goal.of(metrics))
        reached = len(last) == WINDOW and np.mean(last) >= goal.reached
        if reached or steps >= budget:
            break
    seconds = time.perf_counter() - begun
    return {"reached": bool(reached), "steps": steps, "seconds": seconds, "last": float(np.mean(last))}


def ours(config: ExperimentConfig) -> Iterator[tuple[int, Metrics]]:
    """Yield the environment steps done and the metrics since the last log point, some 8,000 steps each."""
    config = config.override(log_interval=max(1, 8192 // config.steps_per_update))
    learner = make_learner(config)
    state = jax.jit(influence_jax.init, static_argnums=0)(learner, jax.random.key(config.seed))
    step, steps = jax.jit(influence_jax.train_step, static_argnums=0), 0
    while True:
        state, metrics = step(learner, state)
        steps += config.steps_per_update * config.log_interval
        yield steps, jax.device_get(metrics)


def by_the_book(config: ExperimentConfig) -> Iterator[tuple[int, Metrics]]:
    """Yield the same of the textbook PPO in the same game."""
    learner = make_learner(config)
    return textbook.train(learner.env, learner.env_params, config.seed)


LEARNERS = {"influence_jax": ours, "textbook": by_the_book}
