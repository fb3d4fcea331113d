"""The short demonstration: five agents learn to stop shooting each other on Harvest, in a few minutes on two cores.

Each agent learns alone, has its own model of the others, and is paid for influencing them (preset ``harvest-moa``).
"""

import pathlib
import shutil
import time

from rich.console import Console
from rich.table import Table

import influence_jax
from influence_jax.runtime.population import init_population

OUT = pathlib.Path(__file__).parents[1] / "demo"
STEPS = 384_000
EPISODES = 10


def main() -> None:
    """Train, compare with the start, and leave pictures in ``demo/``."""
    started = time.perf_counter()
    shutil.rmtree(OUT, ignore_errors=True)
    config = influence_jax.presets.get("harvest-moa", profile="small")
    with influence_jax.Progress() as progress:
        run = influence_jax.train(config, total_steps=STEPS, out=OUT / "run", callback=progress)
    before, after = (
        influence_jax.evaluate(run.learner, state, EPISODES) for state in (init_population(run.learner), run.state)
    )
    figure = influence_jax.plot_learning_curves(run, title="Five agents on Harvest, influence as a reward")
    figure.savefig(OUT / "learning_curves.png", dpi=100)
    influence_jax.render_episode(run.learner, run.state, OUT / "episode.gif")

    table = Table(title=f"{run.update * config.steps_per_update:,} steps of Harvest")
    for column in ("", "start", "end"):
        table.add_column(column, justify="right" if column else "left")
    both = before, after
    table.add_row(f"collective return ({EPISODES} episodes)", *(f"{e.collective_return.mean():.0f}" for e in both))
    table.add_row("shots per episode", *(f"{e.metrics['fires'].sum(axis=-1).mean():.0f}" for e in both))
    for name, column in (
        ("entropy of the policies (nats)", "entropy"),
        ("influence (nats per step)", "influence"),
        ("cross-entropy of the models of others (nats)", "moa_cross_entropy"),
        ("  of guessing by how often each acts how", "moa_marginal_cross_entropy"),
        ("  of guessing that each acts as before", "moa_repeat_cross_entropy"),
    ):
        table.add_row(name, *(f"{run.metrics[column][i].mean():.3g}" for i in (0, -1)))
    console = Console()
    console.print(table)
    speed = run.metrics["steps_per_second"][1:].mean()
    console.print(f"{speed:,.0f} environment steps/s of five agents, after {run.compile_seconds:.0f} s of compiling.")
    console.print(f"Look at {OUT.name}/learning_curves.png and {OUT.name}/episode.gif; the run is in {OUT.name}/run.")
    console.print(f"All in all {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
