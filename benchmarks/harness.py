"""Timing that can be trusted: compilation apart from steady state, the median of repeats, results stamped with the machine."""

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
from rich.console import Console
from rich.table import Table

RESULTS = pathlib.Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long one compiled program takes, in seconds, and how many units of work it does."""

    name: str
    units: int  # env steps of one call
    compile_seconds: float
    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds of the median call."""
        return statistics.median(self.seconds)

    def row(self) -> dict[str, Any]:
        """Return what goes into the results file."""
        return {
            "name": self.name,
            "compile_seconds": round(self.compile_seconds, 2),
            "env_steps_per_call": self.units,
            "repeats": len(self.seconds),
            "median_env_steps_per_second": round(self.units / self.median),
            "fastest_env_steps_per_second": round(self.units / min(self.seconds)),
            "slowest_env_steps_per_second": round(self.units / max(self.seconds)),
        }


def measure(name: str, units: int, function: Callable, *args: Any, repeats: int = 7) -> Timing:
    """Compile ``function``, warm it up once and time ``repeats`` calls, each to the end of its device work."""
    return measure_together({name: function}, units, *args, repeats=repeats)[0]


def measure_together(functions: dict[str, Callable], units: int, *args: Any, repeats: int = 7) -> list[Timing]:
    """Time functions of the same arguments in turns, so that what disturbs the machine disturbs them alike."""
    compiled, compile_seconds = {}, {}
    for name, function in functions.items():
        start = time.perf_counter()
        compiled[name] = jax.jit(function).lower(*args).compile()
        compile_seconds[name] = time.perf_counter() - start
        jax.block_until_ready(compiled[name](*args))
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, program in compiled.items():
            start = time.perf_counter()
            jax.block_until_ready(program(*args))
            seconds[name].append(time.perf_counter() - start)
    return [Timing(name, units, compile_seconds[name], seconds[name]) for name in functions]


def stamp() -> dict[str, Any]:
    """Say on what, and with what, the figures were measured."""
    device = jax.devices()[0]
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": jax.device_count(),
        "cores_used": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def report(question: str, timings: list[Timing], file: str | None) -> None:
    """Print a table and, where ``file`` is given, write ``results/<file>.json``."""
    table = Table(title=question)
    for column, justify in (("program", "left"), ("env steps/s", "right"), ("fastest", "right"), ("compile", "right")):
        table.add_column(column, justify=justify)
    for timing in timings:
        row = timing.row()
        table.add_row(
            timing.name,
            f"{row['median_env_steps_per_second']:,}",
            f"{row['fastest_env_steps_per_second']:,}",
            f"{timing.compile_seconds:.1f} s",
        )
    Console().print(table)
    if file:
        RESULTS.mkdir(exist_ok=True)
        content = {"question": question, "machine": stamp(), "rows": [timing.row() for timing in timings]}
        (RESULTS / f"{file}.json").write_text(json.dumps(content, indent=2) + "\n")


def _processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=RESULTS.parent, check=False)
    return done.stdout.strip() or "unknown"
