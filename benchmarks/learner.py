"""How many environment steps a second while learning, by influence model?"""

import dataclasses

import jax
import jax.numpy as jnp
import tyro

from benchmarks.harness import measure, report
from influence_jax import presets
from influence_jax.learner.train import make_learner
from influence_jax.runtime.population import init_population, repeat_hyperparams


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-a3c", "cleanup-basic", "cleanup-communication", "cleanup-moa", "harvest-moa")
    """Experiments, see `influence-jax train --help`."""
    profile: str = "small"
    """Profile of the learner."""
    seeds: int = 1
    """S, members side by side."""
    updates: int = 5
    """Updates in one call."""
    repeats: int = 7
    """Timed calls."""
    save: str | None = None
    """Name of the results file, without ending."""


def main(arguments: Arguments) -> None:
    """Measure whole updates of every preset."""
    timings = []
    for name in arguments.presets:
        config = presets.get(name, arguments.profile)
        config = dataclasses.replace(config, seeds=arguments.seeds, log_interval=arguments.updates)
        learner = make_learner(config)
        args = (init_population(learner), repeat_hyperparams(config), jnp.float32(config.num_updates))
        chunk = jax.vmap(learner.chunk, in_axes=(0, 0, None))
        units = config.steps_per_update * arguments.updates * arguments.seeds
        timings.append(measure(name, units, chunk, *args, repeats=arguments.repeats))
    report(f"Training, profile {arguments.profile}, {arguments.seeds} member(s)", timings, arguments.save)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
