"""How does an accelerator's own compiler judge games and learning, without the accelerator? Estimates, not measurements.

A TPU's compiler estimates cycles, except for gathers, which are counted separately; for a GPU, kernel launches are counted.
Cycles and launches are per environment step, with loops counted by their trips. Needs ``pip install
"influence_jax[compiled]"``. The target ``here`` is the present device, whose programs also run, to check the estimates.
"""

import dataclasses
import functools
import importlib.util
import os
import pathlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import rich.box
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding
from rich.console import Console
from rich.table import Table

import influence_jax
from benchmarks.profile import operation_times
from influence_jax import presets
from influence_jax.bench.env import play, play_arguments
from influence_jax.bench.harness import megabytes, save
from influence_jax.bench.learner import chunk, chunk_arguments, sized
from influence_jax.config import ConfigError
from influence_jax.learner.learner import make_learner
from influence_jax.platforms import traced_for

# What XLA needs to know of a GPU to compile for it.
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: 84978434048
  shared_memory_per_block_optin: 232448 cuda_compute_capability { major: 9 }
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" dnn_version_info { major: 9 minor: 10 } device_description_str: "NVIDIA H100 80GB HBM3"
"""


@dataclasses.dataclass(frozen=True)
class Target:
    """A device to compile for, which need not be present."""

    platform: str  # its name in lowering
    unit: str  # what is counted
    packages: tuple[str, ...]  # modules that contain the compiler
    topology: dict[str, str]  # as `jax.experimental.topologies` describes it
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # of the compiler

    def device(self) -> Any:
        """Return one such device, to compile for."""
        if not self.topology:
            return jax.devices()[0]
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise ConfigError(f"{', '.join(missing)} cannot be imported; install influence_jax[compiled].")
        # Only the CPU runs anything, and the absent TPU is not queried.
        jax.config.update("jax_platforms", "cpu")
        os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
        return topologies.get_topology_desc(**self.topology).devices[0]


def _tpu(name: str) -> Target:
    return Target("tpu", "cycles", ("libtpu",), {"platform": "tpu", "topology_name": f"{name}:2x2"})


TARGETS = {
    "h100": Target(
        "cuda",
        "launches",
        ("jax_cuda12_plugin",),
        {"platform": "cuda", "topology_name": "h100", "target_config": H100, "topology": "1x1x1"},
        {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False},  # autotuning would need the device
    ),
    "tpu-v5e": _tpu("v5e"),
    "tpu-v6e": _tpu("v6e"),
}


HERE = "here"


def this_device() -> Target:
    """Return the present device as a target."""
    platform = jax.devices()[0].platform
    return Target("cuda" if platform == "gpu" else platform, "cycles" if platform == "tpu" else "launches", (), {})


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to compile, and for what."""

    target: tuple[str, ...] = ("tpu-v5e",)
    """Devices: h100, tpu-v5e, tpu-v6e; here, to run the programs, too."""
    games: tuple[str, ...] = ("cleanup", "harvest")
    """Registered names; none to skip."""
    num_envs: tuple[int, ...] = (1024, 4096)
    """Numbers of environments of the games, E; one row each."""
    num_agents: tuple[int, ...] = (5,)
    """Numbers of agents of the games, N; one row each."""
    steps: int = 16
    """Environment steps per program of a game."""
    presets: tuple[str, ...] = ("cleanup-a3c", "cleanup-moa")
    """Presets of which one update is compiled; none to skip."""
    profile: str = "large"
    """Profile of the learner."""
    learner_envs: int | None = None
    """Number of environments while learning, E; the profile's by default."""
    hlo: pathlib.Path | None = None
    """Directory for the text of the compiled programs."""
    out: pathlib.Path | None = None
    """Directory for compiled.json."""


SMOKE = ("--games", "cleanup", "--num-envs", "2", "--steps", "2", "--presets")


def main(arguments: Arguments) -> None:
    """Compile every program for every target; print and save the compilers' estimates."""
    ran = HERE in arguments.target
    title, rows = f"Per environment step, as compiled{'' if ran else '; nothing was run'}", []
    for name in arguments.target:
        if name not in (*TARGETS, HERE):
            raise ConfigError(f"target is {name!r}; allowed: {', '.join((*TARGETS, HERE))}.")
        target = TARGETS[name] if name in TARGETS else this_device()
        sharding = SingleDeviceSharding(target.device())  # before JAX is used for anything else
        for label, env_steps, function, make_args in programs(arguments):
            row, text, compiled = compiled_for(target, sharding, function, make_args, env_steps)
            if name == HERE:
                row |= run(compiled, make_args(), env_steps)
            rows.append({"target": name, "name": label, **row})
            save(arguments.out, "compiled", title, rows=rows)
            if arguments.hlo is not None:
                arguments.hlo.mkdir(parents=True, exist_ok=True)
                (arguments.hlo / (re.sub(r"\W+", "-", f"{name} {label}") + ".txt")).write_text(text)
    table = Table(title=title, box=rich.box.SIMPLE, pad_edge=False)
    table.add_column("program", overflow="fold", min_width=20)
    columns = "amount", "", *(["measured"] if ran else []), "gathers", "bytes", "temporary", "longest loop", "compile"
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            f"{row['target']}, {row['name']}",
            number(row["per_env_step"]),
            row["unit"],
            *([number(row["measured_per_env_step"]) if "measured_per_env_step" in row else ""] if ran else []),
            str(row["gathers"]),
            "" if row["bytes_per_env_step"] is None else f"{row['bytes_per_env_step']:,.0f}",
            megabytes(row["temporary_bytes"]),
            f"{row['most_trips']} x",
            f"{row['compile_seconds']:.0f} s",
        )
    Console(width=max(Console().width, 130)).print(table)  # a narrower table would cut names


def number(amount: float) -> str:
    """Format a number."""
    return f"{amount:,.3g}" if amount < 100 else f"{amount:,.0f}"


def programs(arguments: Arguments) -> Iterator[tuple[str, int, Callable, Callable]]:
    """Yield ``(label, env_steps, function, function that makes its arguments)``."""
    for game in arguments.games:
        for num_agents in arguments.num_agents:
            env = influence_jax.make(game, num_agents=num_agents)
            for num_envs in arguments.num_envs:
                label = f"{game}, {num_agents} agents, {num_envs} envs"
                make_args = functools.partial(play_arguments, env, num_envs, arguments.steps)
                yield label, num_envs * arguments.steps, play(env), make_args
    for preset in arguments.presets:
        learner = make_learner(sized(presets.get(preset, arguments.profile), 1, arguments.learner_envs))
        label = f"{preset}, one update of {learner.config.learner.num_envs} envs"
        yield label, learner.config.steps_per_update, chunk(learner), functools.partial(chunk_arguments, learner)


def compiled_for(
    target: Target, sharding: Any, function: Callable, make_args: Callable, env_steps: int
) -> tuple[dict, str, Any]:
    """Compile a function for a target and return ``(row, text of the program, program)``."""
    shapes = jax.eval_shape(make_args)
    args = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)
    begun = time.perf_counter()
    with traced_for(target.platform):
        lowered = jax.jit(function).trace(*args).lower(lowering_platforms=(target.platform,))
    compiled: Any = lowered.compile(compiler_options=target.options)
    text, memory, accessed = compiled.as_text(), compiled.memory_analysis(), compiled.cost_analysis()
    program = Text(text, target.unit)
    amount, loops = program.total(program.entry), sorted(program.loops, key=lambda loop: -loop["amount"])
    return (
        {
            "env_steps": env_steps,
            "unit": target.unit,
            "per_env_step": amount / env_steps,
            "gathers": text.count(" gather("),
            "bytes_per_env_step": accessed["bytes accessed"] / env_steps
            if accessed
            else None,  # unknown to a GPU's compiler
            "temporary_bytes": memory.temp_size_in_bytes,
            "most_trips": max((loop["trips"] for loop in loops), default=0),
            "costliest_loops": loops[:3],
            "library_products": library_products(text),
            "compile_seconds": round(time.perf_counter() - begun, 1),
        },
        text,
        compiled,
    )


def run(compiled: Any, args: tuple, env_steps: int) -> dict[str, Any]:
    """Return the operations that the device runs in the program, as counted by its profiler, and their time."""
    times = operation_times(compiled, args, calls=2)
    return {
        "measured_per_env_step": sum(count for _, count in times.values()) / env_steps,
        "measured_seconds": sum(seconds for seconds, _ in times.values()),
        "most_frequent": sorted(((count, name) for name, (_, count) in times.items()), reverse=True)[:20],
    }


def library_products(text: str) -> list[str]:
    """Return the matrix products that a GPU's library computes, with their shapes; by default in TF32 on tensor cores."""
    found = re.findall(r'= \(?(\w+\[[\d,]*\]).*custom_call_target="__cublas.*?op_name="([^"]*)"', text)
    return [f"{shape} {re.sub(r'.*(?=AgentNetwork)', '', source)}" for shape, source in found]


# Instructions that launch a kernel on a GPU, as far as a program's text shows.
KERNELS = re.compile(
    r"= \S.*? (fusion|copy|custom-call|sort|reduce|scatter|gather|dot|convolution|transpose|copy-start|rng-bit-generator|"
    r"dynamic-slice|dynamic-update-slice|conditional)\("
)


class Text:
    """The text of a compiled program, with the cost of its instructions."""

    def __init__(self, text: str, unit: str) -> None:
        self.unit, self.loops, self.parts = unit, [], {}
        for part in re.split(r"\n\n(?=[%A-Z])", text):
            found = re.match(r"(ENTRY )?%?([\w.\-]+)", part)
            if found:
                self.parts[found[2]] = part
            if found and found[1]:
                self.entry = found[2]

    def total(self, name: str) -> int:
        """Return the cost of one call of a computation, loops multiplied by their trips; `loops` are collected on the way."""
        part = self.parts[name]
        if self.unit == "cycles":
            amount = sum(map(int, re.findall(r'"estimated_cycles":"(\d+)"', part)))
        else:
            amount = sum(KERNELS.search(line) is not None for line in part.splitlines())
        for line in part.splitlines():
            if " while(" in line:
                body = self.total(_named("body", line))
                trips, source = self.trips(line), re.search(r'op_name="([^"]*)"', line)
                self.loops.append({"trips": trips, "amount": trips * body, "source": source[1] if source else ""})
                amount += trips * body
            elif " call(" in line:
                amount += self.total(_named("to_apply", line))
            elif " conditional(" in line:
                found = re.search(r"branch_computations=\{([^}]*)\}", line)
                names = found[1].split(", ") if found else re.findall(r"(?:true|false)_computation=%?([\w.\-]+)", line)
                amount += max(self.total(name.strip().lstrip("%")) for name in names)
        return amount

    def trips(self, line: str) -> int:
        """Return how often a loop runs: as stated by the compiler, or the largest number in its condition."""
        known = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', line)
        if known:
            return int(known[1])
        condition = self.parts[_named("condition", line)]
        return max(map(int, re.findall(r"constant\((\d+)\)", condition)), default=1)


def _named(role: str, line: str) -> str:
    """Return the name of the computation that an instruction calls in a ``role``."""
    return re.findall(rf"{role}=%?([\w.\-]+)", line)[0]
