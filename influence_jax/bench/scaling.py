"""How does throughput grow with environments, members and agents, and from which size does the cost per step stay constant?"""

import dataclasses
import pathlib
from typing import Any

import jax
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from influence_jax import presets
from influence_jax.analysis.style import legend_below, lines, new_axes, styled
from influence_jax.bench.env import measure_game
from influence_jax.bench.harness import Timing, report, save
from influence_jax.bench.influence import time_added, with_influence, without
from influence_jax.bench.learner import measure_updates, sized, updates
from influence_jax.learner.learner import make_learner

FLAT = 0.1  # relative variation of an environment step's cost that counts as constant


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    game: str = "cleanup"
    """Game of the rows that measure the environment alone."""
    preset: str = "cleanup-communication"
    """Preset of the learner's rows; the default has influence between most pairs."""
    profile: str = "small"
    """Profile of the learner."""
    num_envs: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)
    """Numbers of environments, E, for the environment alone."""
    learner_envs: tuple[int, ...] = (4, 8, 16, 32, 64, 128)
    """Numbers of environments, E, while learning; none to skip."""
    seeds: tuple[int, ...] = (1, 2, 4, 8)
    """Numbers of seeds, S; none to skip."""
    seed_envs: int = 8
    """Number of environments of each member when seeds vary."""
    num_agents: tuple[int, ...] = (2, 3, 5, 7, 10)
    """Numbers of agents, N, up to the map's start cells; none to skip."""
    agent_envs: int = 16
    """Number of environments when agents vary."""
    steps: int = 100
    """Environment steps per call."""
    updates: int = 2
    """Updates per call."""
    repeats: int = 5
    """Timed calls of each program, taken in turns."""
    out: pathlib.Path | None = None
    """Directory for scaling.json and the plots."""


SMOKE = (
    *("--preset", "cleanup-a3c"),
    *("--num-envs", "1", "2", "--learner-envs", "1", "--seeds", "2", "--seed-envs", "1"),
    *("--num-agents", "2", "--agent-envs", "1", "--steps", "2", "--updates", "1", "--repeats", "1"),
)


def main(arguments: Arguments) -> None:
    """Measure along each axis, print and plot."""
    config = presets.get(arguments.preset, arguments.profile)
    repeats = arguments.repeats

    def learners(ways=(with_influence,), **sizes):
        learner = make_learner(sized(config, arguments.updates, **sizes))
        programs = [updates(way(learner), arguments.preset, way=way.__name__) for way in ways]
        return dict(zip((way.__name__ for way in ways), measure_updates(programs, repeats), strict=True))

    def game(num_envs, num_agents=5):
        (timing,) = measure_game(arguments.game, num_agents, num_envs, arguments.steps, repeats)
        return {arguments.game: timing}

    def with_agents(size):
        sizes = {"num_envs": arguments.agent_envs, "num_agents": size}
        return game(arguments.agent_envs, size) | learners((without, with_influence), **sizes)

    axes = {
        "environments": (game, arguments.num_envs),
        "environments while learning": (lambda size: learners(num_envs=size), arguments.learner_envs),
        "seeds": (lambda size: learners(num_envs=arguments.seed_envs, seeds=size), arguments.seeds),
        "agents": (with_agents, arguments.num_agents),
    }
    content = {}
    for axis, (measured, sizes) in axes.items():
        if not sizes:
            continue
        found = {size: measured(size) for size in sizes}
        timings = [timing for timings in found.values() for timing in timings.values()]
        report(f"Scaling with {axis}", timings)
        content[axis] = {"rows": [timing.row() for timing in timings]}
        if axis == "agents":
            content[axis]["cost_by_agents"] = cost_by_agents(found, arguments.game)
        else:
            content[axis]["flat_from"] = flat_sizes(found)
            for name, size in content[axis]["flat_from"].items():
                print(
                    f"{name}: the cost of an environment step is within {FLAT:.0%} from {size} to {max(sizes)} {axis}"
                )
        save(arguments.out, "scaling", "How throughput scales", axes=content)
        if arguments.out:
            names = next(iter(found.values()))
            drawn = {name: {size: rates(timings[name]) for size, timings in found.items()} for name in names}
            figure = plot(drawn, axis, jax.devices()[0].device_kind)
            figure.savefig(arguments.out / f"scaling_{axis.replace(' ', '_')}.png")


def flat_sizes(sizes: dict[int, dict[str, Timing]]) -> dict[str, int]:
    """Return for each program the smallest size from which the cost of an environment step stays within `FLAT`."""
    names = next(iter(sizes.values()))
    return {
        name: flat_from({size: timings[name].env_step_seconds for size, timings in sizes.items()}) for name in names
    }


def flat_from(costs: dict[int, float]) -> int:
    """Return the smallest size from which the largest cost is at most 1 + `FLAT` times the smallest."""
    sizes = sorted(costs)
    tails = [[costs[size] for size in sizes[start:]] for start in range(len(sizes))]
    return next(size for size, tail in zip(sizes, tails, strict=True) if max(tail) <= (1 + FLAT) * min(tail))


def cost_by_agents(sizes: dict[int, dict[str, Timing]], game: str) -> list[dict[str, Any]]:
    """Print and return the cost of an environment step per agent, and what influence adds for each ordered pair."""
    costs = []
    for n, timings in sizes.items():
        base, paid = timings["without"], timings["with_influence"]
        pairs = n * (n - 1)
        added = time_added(base, paid) * base.env_step_seconds
        costs.append(
            {
                "num_agents": n,
                "game_microseconds_per_agent": 1e6 * timings[game].env_step_seconds / n,
                "learner_microseconds_per_agent": 1e6 * base.env_step_seconds / n,
                "influence_microseconds_per_pair": 1e6 * added / pairs,
            }
        )
        print(
            f"{n:>2} agents, an environment step: {1e6 * timings[game].env_step_seconds / n:.2f} us per agent for the game, "
            f"{1e6 * base.env_step_seconds / n:.1f} us per agent to learn it, "
            f"influence adds {1e6 * added / pairs:.2f} us for each of {pairs} pairs"
        )
    return costs


Rates = tuple[float, float, float]  # median, slowest, fastest


def rates(timing: Timing) -> Rates:
    """Return environment steps a second."""
    steps, seconds = timing.workload.env_steps, timing.seconds
    return steps / timing.median, steps / max(seconds), steps / min(seconds)


@styled
def plot(found: dict[str, dict[int, Rates]], axis: str, title: str) -> Figure:
    """Plot throughput against size by name, with a band from the slowest to the fastest call around the median."""
    figure, (axes,) = new_axes(None, 1, title)
    for style, (name, by_size) in zip(lines(), found.items(), strict=False):
        median, slowest, fastest = zip(*by_size.values(), strict=True)
        axes.plot(list(by_size), median, label=name.replace("_", " "), **style)
        axes.fill_between(list(by_size), slowest, fastest, color=style["color"], alpha=0.2, linewidth=0)
    sizes = list(next(iter(found.values())))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.margins(y=0.12)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=axis, ylabel="environment steps a second")
    legend_below(figure, axes.lines)
    return figure
