"""How much memory does training take? A formula in E, T, N and S, checked against the compiler's plan."""

import dataclasses
import pathlib
import resource
from typing import Any

import jax
import rich.box
from rich.console import Console
from rich.table import Table

from influence_jax import presets
from influence_jax.bench.harness import device_peak_bytes, megabytes, peak_bytes, save
from influence_jax.bench.learner import chunk_arguments, sized
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime.memory import memory_parts, peak_formula
from influence_jax.runtime.population import compile_chunk


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-a3c", "cleanup-moa")
    """Presets."""
    profile: str = "small"
    """Profile of the learner."""
    sizes: tuple[tuple[int, int, int, int], ...] = ((16, 20, 5, 1), (64, 20, 5, 1), (32, 40, 2, 2), (32, 20, 10, 1))
    """Environments E, rollout length T, agents N and members S; four numbers per row."""
    out: pathlib.Path | None = None
    """Directory for memory.json."""


SMOKE = ("--presets", "cleanup-a3c", "--sizes", "2", "4", "2", "1")


def main(arguments: Arguments) -> None:
    """Compile and run a chunk of each size; print the formula's, the compiler's and the process's memory."""
    table = Table(title="Peak memory of training", box=rich.box.SIMPLE, pad_edge=False)
    table.add_column("preset", no_wrap=True)
    for column in ("E", "T", "N", "S", "formula", "measured", "error", "process"):
        table.add_column(column, justify="right", no_wrap=True)
    rows = []
    for preset in arguments.presets:
        for size in arguments.sizes:
            num_envs, rollout_length, num_agents, seeds = size
            config = sized(presets.get(preset, arguments.profile), 1, num_envs, seeds, num_agents)
            config = dataclasses.replace(
                config, learner=dataclasses.replace(config.learner, rollout_length=rollout_length)
            )
            learner = make_learner(config)
            row = {"preset": preset, **dict(zip("ETNS", size, strict=True)), **measure_memory(learner)}
            rows.append(row)
            numbers = (megabytes(row[name]) if row[name] else "" for name in ("formula_bytes", "measured_bytes"))
            table.add_row(
                preset, *map(str, size), *numbers, f"{row['error']:+.1%}", megabytes(row["process_peak_bytes"])
            )
            save(arguments.out, "memory", "Peak memory of training", rows=rows)
    Console().print(table)


def measure_memory(learner: Learner) -> dict[str, Any]:
    """Return the formula and the measured peaks of one learner; those of the process and the device are maxima so far."""
    parts = memory_parts(learner)
    compiled = compile_chunk(learner).lower(*chunk_arguments(learner)).compile()
    jax.block_until_ready(compiled(*chunk_arguments(learner)))
    expected, measured = peak_formula(learner, learner.config.seeds), peak_bytes(compiled)
    return {
        "formula_bytes": expected,
        "measured_bytes": measured,
        "error": expected / measured - 1.0 if measured else float("nan"),
        "process_peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "device_peak_bytes": device_peak_bytes(),
        "parts": parts,
    }
