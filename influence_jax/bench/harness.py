"""Reliable timing: compilation apart from steady state, workloads and their limits in turns, and a record of the machine."""

import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import rich.box
from rich.console import Console
from rich.table import Table

import influence_jax
from influence_jax.settings import Integers, checked

ROOT = pathlib.Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True)
class Workload:
    """A call to be timed, which returns when its work is done."""

    name: str
    call: Callable[[], Any]
    env_steps: int = 0  # per call; 0 for a limit that plays no game
    compile_seconds: float = 0.0
    peak_bytes: int | None = None  # of the compiled program, as planned by the compiler
    device_peak_bytes: int | None = None  # of the process so far, if the device counts
    labels: dict[str, Any] = dataclasses.field(default_factory=dict)  # columns that distinguish this row


@dataclasses.dataclass(frozen=True)
class Timing:
    """The durations of a workload's calls in seconds."""

    workload: Workload
    seconds: list[float]
    limit: str | None = None
    fraction_of_limit: float | None = None

    @property
    def median(self) -> float:
        """Duration of the median call in seconds."""
        return statistics.median(self.seconds)

    @property
    def env_step_seconds(self) -> float:
        """Seconds per environment step in the median call."""
        return self.median / self.workload.env_steps

    def against(self, limit: str, seconds: list[float]) -> "Timing":
        """Return the timing with its fraction of a limit that took ``seconds`` per environment step in the same turns."""
        own = [spent / self.workload.env_steps for spent in self.seconds]
        fraction = statistics.median(least / spent for least, spent in zip(seconds, own, strict=True))
        return dataclasses.replace(self, limit=limit, fraction_of_limit=fraction)

    def row(self) -> dict[str, Any]:
        """Return this timing as a row of the results file."""
        steps = self.workload.env_steps
        return {
            "name": self.workload.name,
            **self.workload.labels,
            "compile_seconds": round(self.workload.compile_seconds, 2),
            "env_steps_per_call": steps,
            "repeats": len(self.seconds),
            "median_seconds": self.median,
            "fastest_seconds": min(self.seconds),
            "slowest_seconds": max(self.seconds),
            "median_env_steps_per_second": round(steps / self.median),
            "fastest_env_steps_per_second": round(steps / min(self.seconds)),
            "slowest_env_steps_per_second": round(steps / max(self.seconds)),
            "peak_bytes": self.workload.peak_bytes,
            "device_peak_bytes": self.workload.device_peak_bytes,
            "limit": self.limit,
            "fraction_of_limit": self.fraction_of_limit,
        }


def compile_program(
    name: str, env_steps: int, function: Callable, *args: Any, options: dict[str, str] | None = None, **labels: Any
) -> Workload:
    """Compile ``function`` for ``args`` with compiler ``options``, and run it once."""
    start = time.perf_counter()
    compiled = jax.jit(function, compiler_options=options).lower(*args).compile()
    seconds = time.perf_counter() - start

    def call():
        return jax.block_until_ready(compiled(*args))

    call()
    return Workload(name, call, env_steps, seconds, peak_bytes(compiled), device_peak_bytes(), labels)


def peak_bytes(compiled: Any) -> int | None:
    """Return the peak bytes of a compiled program: arguments, outputs and temporaries, with shared memory counted once."""
    memory = compiled.memory_analysis()
    if memory is None:
        return None
    parts = memory.argument_size_in_bytes, memory.output_size_in_bytes, memory.temp_size_in_bytes
    return sum(parts) - memory.alias_size_in_bytes


def device_peak_bytes() -> int | None:
    """Return the most bytes that this process ever held on its device; None on a CPU, which does not count them."""
    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


SHORT = 0.1  # seconds


def measure(workloads: list[Workload], repeats: int) -> list[Timing]:
    """Time the workloads in turns, so that disturbances of the machine affect all of them.

    A short call is made twice and only the second is timed, because the first finds the previous workload's data in the caches.
    """
    seconds = [[] for _ in workloads]
    for _ in range(checked("repeats", repeats, Integers(1))):
        for workload, spent in zip(workloads, seconds, strict=True):
            latest = time_call(workload)
            spent.append(latest if latest > SHORT else time_call(workload))
    return [Timing(workload, spent) for workload, spent in zip(workloads, seconds, strict=True)]


def time_call(workload: Workload) -> float:
    """Return the duration of one call in seconds."""
    start = time.perf_counter()
    workload.call()
    return time.perf_counter() - start


def matrix_product() -> Workload:
    """Return the limit of arithmetic: a product of two large f32 matrices, as precise as those of the networks."""
    # On an accelerator the small product takes less time than the call.
    size = 2048 if jax.default_backend() == "cpu" else 8192
    matrix = jnp.ones((size, size))
    return compile_program("matrix product", 0, jnp.matmul, matrix, matrix, size=size)


def product_seconds(timing: Timing, macs: float) -> list[float]:
    """Return how long ``macs`` multiply-adds would take at the rate of each call of `matrix_product`."""
    return [seconds * macs / timing.workload.labels["size"] ** 3 for seconds in timing.seconds]


COPY_BYTES = 2**28


def memory_copy() -> Workload:
    """Return the limit of memory bandwidth: reading and writing an array larger than any cache."""
    return compile_program("memory copy", 0, lambda x: x + 1, jnp.zeros(COPY_BYTES, jnp.uint8))


def copy_seconds(timing: Timing, num_bytes: float) -> list[float]:
    """Return how long reading and writing ``num_bytes`` would take at the rate of each call of `memory_copy`."""
    return [seconds * num_bytes / COPY_BYTES for seconds in timing.seconds]


def use_cores(count: int | None) -> None:
    """Restrict this process and its children to ``count`` cores, or None for all; call it before JAX starts its threads."""
    if checked("cores", count, Integers(1, optional=True)):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def cores_used() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def stamp() -> dict[str, Any]:
    """Return the machine, the versions and the commit that a result was measured with."""
    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        "cores_used": cores_used(),
        "load": round(os.getloadavg()[0], 2),  # over the last minute, including this process
        "processor": _processor(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def report(title: str, timings: list[Timing]) -> None:
    """Print a table of the timings."""
    limit = ", ".join(dict.fromkeys(timing.limit for timing in timings if timing.limit))
    table = Table(title=title, caption=f"limit: {limit}", box=rich.box.SIMPLE, pad_edge=False)
    table.add_column("program", overflow="fold")
    for column in ("env steps/s", "spread", "compile", "memory", "of limit"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in (timing.row() for timing in timings):
        spread = (row["slowest_seconds"] - row["fastest_seconds"]) / row["median_seconds"]
        table.add_row(
            row["name"],
            f"{row['median_env_steps_per_second']:,}",
            f"{spread:.0%}",
            f"{row['compile_seconds']:.1f} s",
            "" if row["peak_bytes"] is None else megabytes(row["peak_bytes"]),
            "" if row["limit"] is None else f"{row['fraction_of_limit']:.1%}",
        )
    Console().print(table)


def megabytes(count: float) -> str:
    """Format a number of bytes in megabytes."""
    return f"{count / 1e6:,.1f} MB"


def save(out: pathlib.Path | None, name: str, question: str, **content: Any) -> None:
    """Write ``<out>/<name>.json`` with a stamp of the machine; nothing if ``out`` is None.

    Questions call it after every new row, so that an interrupted run keeps its results.
    """
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"question": question, "machine": stamp(), **content}, indent=2)
    (out / f"{name}.json").write_text(text + "\n")


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _commit() -> str:
    if not (ROOT / ".git").exists():  # an installed package; an enclosing repository would be another one
        return f"version {influence_jax.__version__}"
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.strip() or "unknown"
