"""How much memory does training take? A formula in E, T, N and S, checked against what the compiler plans."""

import dataclasses
import functools
import math
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
from influence_jax.learner.rollout import rollout
from influence_jax.networks.agent import num_pieces
from influence_jax.runtime.population import compile_chunk, init_population


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-a3c", "cleanup-moa")
    """Experiments."""
    profile: str = "small"
    """Profile of the learner."""
    sizes: tuple[tuple[int, int, int, int], ...] = ((16, 20, 5, 1), (64, 20, 5, 1), (32, 40, 2, 2), (32, 20, 10, 1))
    """Environments E, rollout length T, agents N and members S, four numbers for each row."""
    out: pathlib.Path | None = None
    """Directory for memory.json."""


SMOKE = ("--presets", "cleanup-a3c", "--sizes", "2", "4", "2", "1")


def main(arguments: Arguments) -> None:
    """Compile and run a chunk of each size; print what it should take, what it takes and what the process took."""
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
            numbers = (megabytes(row[name]) for name in ("formula_bytes", "measured_bytes"))
            table.add_row(
                preset, *map(str, size), *numbers, f"{row['error']:+.1%}", megabytes(row["process_peak_bytes"])
            )
            save(arguments.out, "memory", "Peak memory of training", rows=rows)
    Console().print(table)


def measure_memory(learner: Learner) -> dict[str, Any]:
    """Return the formula and the measured peaks of one learner; those of the process and the device are so far."""
    parts = memory_parts(learner)
    compiled = compile_chunk(learner).lower(*chunk_arguments(learner)).compile()
    jax.block_until_ready(compiled(*chunk_arguments(learner)))
    expected, measured = peak_formula(learner), peak_bytes(compiled)
    return {
        "formula_bytes": expected,
        "measured_bytes": measured,
        "error": expected / measured - 1.0,
        "process_peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "device_peak_bytes": device_peak_bytes(),
        "parts": parts,
    }


def peak_formula(learner: Learner) -> int:
    """Return how many bytes training holds at its peak.

    For S members of N agents that act for T steps in E environments, with ``piece`` views encoded at a time::

        S (state(N, E) + 2 parameters(N) + E T trajectory(N) + max(parameters(N) + E T N core, N piece encoder))

    `memory_parts` says what the parts are.
    """
    parts, config = memory_parts(learner), learner.config
    steps = config.learner.num_envs * config.learner.rollout_length
    num_agents = learner.env.spec.num_agents
    piece = steps // num_pieces(steps) if jax.default_backend() == "cpu" else steps
    core = parts["parameters"] + steps * num_agents * parts["core"]
    encoder = num_agents * piece * parts["encoder"]
    member = parts["state"] + 2 * parts["parameters"] + steps * parts["trajectory"] + max(core, encoder)
    return config.seeds * member


def memory_parts(learner: Learner) -> dict[str, int]:
    """Return the bytes of what is held at the peak, which is in the backward pass.

    state: of one member between updates, which is updated in place: parameters, optimiser, environments, views. parameters: of
    all its agents; their gradient and two copies that the core multiplies by. trajectory: of an environment step, as acting
    leaves it. core: of a step of an agent, its view in the order of learning, and for each branch the inputs, the state
    before the step and the gradient of the state after it. encoder: of a view, the rows that the convolution multiplies, its
    output and their gradients; it works when the core's arrays are gone.
    """
    state = jax.eval_shape(functools.partial(init_population, learner))
    member = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), state)
    config = learner.config.learner

    def act(member):
        return rollout(learner, member.member, member.rollout_state, config.rollout_length, member.key)[1]

    trajectory = num_bytes(jax.eval_shape(act, member)) // (config.num_envs * config.rollout_length)
    core = math.prod(learner.env.spec.observation_shape)
    for branch in ("policy", "critic", "moa"):
        if branch in member.params:
            inputs, gates = member.params[branch]["core"]["input_kernel"].shape[1:]
            hidden = gates // 4
            core += 4 * ((inputs + hidden) + 2 * hidden + hidden)
    height, width, depth = learner.env.spec.observation_shape
    rows = (height - 2) * width * 3 * depth
    image = (height - 2) * (width - 2) * learner.config.network.conv_channels
    return {
        "state": num_bytes(member),
        "parameters": num_bytes(member.params),
        "trajectory": trajectory,
        "core": core,
        "encoder": 4 * 2 * (rows + image),
    }


def num_bytes(tree: Any) -> int:
    """Return the size of all arrays of a tree."""
    return sum(
        x.size * (8 if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x.dtype.itemsize)  # a key is two words
        for x in jax.tree.leaves(tree)
    )
