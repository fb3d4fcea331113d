"""How many environment steps per second while learning, by influence model, compared with the arithmetic that learning needs?"""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax import presets
from influence_jax.bench.harness import (
    Timing,
    Workload,
    compile_program,
    matrix_product,
    measure,
    product_seconds,
    report,
    save,
)
from influence_jax.config import ExperimentConfig
from influence_jax.learner import train
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime.compilation import compiler_options
from influence_jax.runtime.population import init_population


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-a3c", "cleanup-basic", "cleanup-communication", "cleanup-moa", "harvest-moa")
    """Presets, see `influence-jax presets`."""
    profile: str = "small"
    """Profile of the learner."""
    num_envs: tuple[int, ...] = ()
    """Numbers of environments, E; one row each, the profile's by default."""
    seeds: tuple[int, ...] = (1,)
    """Numbers of seeds, S; one row each."""
    updates: int = 20
    """Updates per call."""
    repeats: int = 7
    """Timed calls of each program, taken in turns."""
    out: pathlib.Path | None = None
    """Directory for learner.json."""


SMOKE = ("--presets", "cleanup-a3c", "--num-envs", "1", "--updates", "1", "--repeats", "1")


def main(arguments: Arguments) -> None:
    """Measure whole updates of every preset."""
    title = f"Training, profile {arguments.profile}"
    timings = []
    for name in arguments.presets:
        for num_envs in arguments.num_envs or (None,):
            for seeds in arguments.seeds:
                config = sized(presets.get(name, arguments.profile), arguments.updates, num_envs, seeds)
                timings += measure_updates([updates(make_learner(config), name)], arguments.repeats)
                save(arguments.out, "learner", title, rows=[timing.row() for timing in timings])
    report(title, timings)


def sized(
    config: ExperimentConfig, updates: int, num_envs: int | None = None, seeds: int = 1, num_agents: int | None = None
) -> ExperimentConfig:
    """Return the configuration with other sizes and chunks of ``updates`` updates; None keeps a size."""
    return dataclasses.replace(
        config,
        env=dataclasses.replace(config.env, num_agents=num_agents) if num_agents else config.env,
        learner=dataclasses.replace(config.learner, num_envs=num_envs or config.learner.num_envs),
        seeds=seeds,
        log_interval=updates,
    )


def updates(learner: Learner, preset: str, **labels: Any) -> Workload:
    """Compile a chunk of a learner's updates, as in training; ``labels`` distinguish it from others of the preset."""
    config = learner.config
    sizes = {
        "num_envs": config.learner.num_envs,
        "rollout_length": config.learner.rollout_length,
        "num_agents": learner.env.spec.num_agents,
        "seeds": config.seeds,
    }
    title = [preset, *labels.values(), f"{config.learner.num_envs} envs"]
    title += [f"{config.seeds} seeds"] if config.seeds > 1 else []
    labels = {"preset": preset, **labels, **sizes, "macs_per_agent_step": macs_per_agent_step(learner)}
    env_steps = config.steps_per_update * config.log_interval * config.seeds
    args = chunk(learner), *chunk_arguments(learner)
    return compile_program(", ".join(title), env_steps, *args, options=compiler_options(), **labels)


def chunk(learner: Learner) -> Callable:
    """Return the function that training compiles: a chunk of updates of all members."""
    return jax.vmap(functools.partial(train.train_step, learner), in_axes=(0, None))


def chunk_arguments(learner: Learner) -> tuple:
    """Return the arguments of `chunk` at the start of a run."""
    return init_population(learner), jnp.float32(learner.config.num_updates)


def measure_updates(programs: list[Workload], repeats: int) -> list[Timing]:
    """Time `updates` in turns with a large matrix product; the limit is the arithmetic of learning at that product's rate."""
    product, *timings = measure([matrix_product(), *programs], repeats)
    return [
        timing.against(
            "arithmetic at the rate of a matrix product", product_seconds(product, macs_per_env_step(timing))
        )
        for timing in timings
    ]


def macs_per_env_step(timing: Timing) -> float:
    """Return the multiply-adds that learning needs for one environment step.

    These are N agents x (acting's forward pass + learning's forward pass + a backward pass, which counts twice). Games,
    influence and optimiser are not counted, and no forward pass is deducted for a learner that reuses the activations of
    acting.
    """
    labels = timing.workload.labels
    return labels["num_agents"] * 4 * labels["macs_per_agent_step"]


def macs_per_agent_step(learner: Learner) -> int:
    """Return the multiply-adds of an agent's forward pass: each weight once, those of the convolution once per output pixel."""
    shape = learner.env.spec.observation_shape
    params = jax.eval_shape(lambda key: learner.network.init(key, shape), jax.random.key(0))
    pixels = (shape[0] - 2) * (shape[1] - 2)  # of a 3 x 3 convolution without padding
    weights = {path: x.shape for path, x in jax.tree.leaves_with_path(params) if len(x.shape) > 1}
    return sum(math.prod(size) * (pixels if len(size) == 4 else 1) for size in weights.values())
