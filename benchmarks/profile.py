"""Where does the time of one update go, by operation of the compiled program?"""

import collections
import dataclasses
import pathlib
import re
import tempfile
from typing import Any

import jax
import rich.box
from rich.console import Console
from rich.table import Table

from influence_jax import presets
from influence_jax.bench.harness import save
from influence_jax.bench.learner import chunk, chunk_arguments, sized
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.compilation import compiler_options

CONTAINERS = ("while", "call", "conditional")  # operations whose time is that of others inside them


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to look at."""

    preset: str = "cleanup-moa"
    """Preset."""
    profile: str = "small"
    """Profile of the learner."""
    num_envs: int | None = None
    """Number of environments, E; the profile's by default."""
    seeds: int = 1
    """Number of seeds, S."""
    calls: int = 3
    """Updates to trace."""
    top: int = 20
    """Operations to print and save."""
    out: pathlib.Path | None = None
    """Directory for profile.json."""


SMOKE = ("--preset", "cleanup-a3c", "--num-envs", "1", "--calls", "1")


def main(arguments: Arguments) -> None:
    """Trace some updates; print and save the operations that take longest."""
    config = sized(presets.get(arguments.preset, arguments.profile), 1, arguments.num_envs, arguments.seeds)
    learner = make_learner(config)
    args = chunk_arguments(learner)
    compiled: Any = jax.jit(chunk(learner), compiler_options=compiler_options()).lower(*args).compile()
    times = operation_times(compiled, args, arguments.calls)
    rows = operations(times, compiled.as_text())[: arguments.top]
    title = f"One update of {arguments.preset}, {config.learner.num_envs} envs, {config.seeds} seed(s)"
    table = Table(title=title, box=rich.box.SIMPLE, pad_edge=False)
    table.add_column("operation", no_wrap=True)
    for column in ("share", "ms", "times"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("from", overflow="fold")
    for row in rows:
        share, milliseconds = f"{row['share']:.1%}", f"{row['milliseconds']:.2f}"
        table.add_row(row["operation"], share, milliseconds, f"{row['times']:,.0f}", row["source"][-60:])
    Console().print(table)
    total = sum(seconds for seconds, _ in times.values())
    save(arguments.out, "profile", title, milliseconds_of_all_operations=1e3 * total, rows=rows)


def operation_times(compiled: Any, args: tuple, calls: int) -> dict[str, tuple[float, float]]:
    """Return ``{operation: (seconds, times)}`` per call, without operations that only contain others.

    Inside a CUDA graph a kernel does not name its operation; its own name is the operation's in C's alphabet.
    """
    jax.block_until_ready(compiled(*args))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(calls):
                jax.block_until_ready(compiled(*args))
        (path,) = pathlib.Path(folder).glob("**/*.xplane.pb")
        planes = jax.profiler.ProfileData.from_file(str(path)).planes
        seconds, times = collections.defaultdict(float), collections.Counter()
        for plane in planes:
            for line in plane.lines:
                kernels = plane.name.startswith("/device:GPU") and line.name.startswith("Stream")
                for event in line.events:
                    name = dict(event.stats).get("hlo_op") or (event.name if kernels else None)
                    if name and not name.startswith(CONTAINERS):
                        seconds[name] += event.duration_ns / 1e9
                        times[name] += 1
    longest_first = sorted(seconds.items(), key=lambda item: item[1], reverse=True)
    return {name: (spent / calls, times[name] / calls) for name, spent in longest_first}


def operations(times: dict[str, tuple[float, float]], text: str) -> list[dict[str, Any]]:
    """Return one row per operation, longest first, with its source line from the ``text`` of the compiled program."""
    named = operation_sources(text)
    named |= {re.sub(r"\W", "_", name): source for name, source in named.items()}  # kernels
    total = sum(seconds for seconds, _ in times.values())
    return [
        {
            "operation": name,
            "share": seconds / total,
            "milliseconds": 1e3 * seconds,
            "times": count,
            "source": named.get(name, ""),
        }
        for name, (seconds, count) in times.items()
    ]


def operation_sources(text: str) -> dict[str, str]:
    """Return the source line of each operation.

    For an operation without one that calls a computation, this is the source of the computation's last operation, or else its
    type.
    """
    sources, known, last_in = {}, set(), {}
    computation = ""
    for line in text.splitlines():
        if opened := re.match(r"(?:ENTRY )?%?([\w.\-]+) \(.*\{$", line):
            computation = opened[1]
        elif operation := re.match(r"\s+(?:ROOT )?%?([\w.\-]+) = (\S+?)(?:\{\S*)? ([\w\-]+)\(", line):
            name, shape, kind = operation.groups()
            source, called = re.search(r'op_name="([^"]*)"', line), re.search(r"calls=%?([\w.\-]+)", line)
            inner = last_in.get(called[1]) if called else None
            sources[name] = source[1] if source else inner or f"{kind} {shape}"
            if source or computation not in known:
                last_in[computation] = sources[name]
            if source:
                known.add(computation)
    return sources
