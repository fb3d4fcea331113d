"""A short demonstration: an agent that is rewarded for influence frees another, and one that is not does not.

Box Trapped with influence weights 0 and 2, two seeds each, in one program, and then a short Harvest; a few minutes on two
cores. Runs, images and videos are written into a directory.
"""

import pathlib

import numpy as np
from rich.table import Table

from influence_jax import presets
from influence_jax.analysis.figures import plot_learning_curves
from influence_jax.envs.grid.render import Video
from influence_jax.evaluation.episodes import evaluate
from influence_jax.runtime.population import grid
from influence_jax.runtime.progress import Progress
from influence_jax.runtime.run import train

WEIGHTS = (0, 2)
SEEDS = 2
EPISODES = 100
HARVEST_STEPS = 120_000
HARVEST_EPISODES = 10
ARROW = 1.0  # nats; influence of an arrow at full width


def box_trapped(out: pathlib.Path) -> Table:
    """Train openers without and with influence reward, and save videos of two members of the seed that opens most often."""
    config = presets.get("box-trapped-basic")
    members = grid(seeds=SEEDS, influence_weight=WEIGHTS)
    with Progress() as progress:
        run = train(config, hyperparams=members, out=out / "box_trapped", callback=progress)
    evaluation = evaluate(run.learner, run.state, EPISODES)
    opened = (evaluation.metrics["opens"][..., 0] > 0).mean(axis=1).reshape(len(WEIGHTS), SEEDS)
    shown = int(opened[-1].argmax())
    traces = [run.trace(number * SEEDS + shown, seed=1) for number in range(len(WEIGHTS))]
    videos = [
        trace.video(title=f"influence weight {weight}", arrows=ARROW, scale=28).frames
        for trace, weight in zip(traces, WEIGHTS, strict=True)
    ]
    gap = np.full((len(videos[0][0]), 12, 3), 255, np.uint8)
    frames = tuple(np.concatenate([unpaid, gap, paid], axis=1) for unpaid, paid in zip(*videos, strict=True))
    Video(frames, fps=6).save(out / "box_trapped.gif")
    moments = traces[-1].moments(1)
    if moments:
        moments[0].image().save(out / "moment.png")

    apples = evaluation.metrics["apples"].mean(axis=1).reshape(len(WEIGHTS), SEEDS, -1).mean(axis=1)
    table = Table(title=f"Box Trapped, {run.update * config.steps_per_update:,} steps, {SEEDS} seeds each")
    for column in ("influence weight", *map(str, WEIGHTS)):
        table.add_column(column, justify="left" if column == "influence weight" else "right")
    table.add_row(
        f"opened, of {EPISODES} episodes, by seed", *(", ".join(f"{x:.0%}" for x in seeds) for seeds in opened)
    )
    table.add_row("apples of the opener", *(f"{x:.1f}" for x in apples[:, 0]))
    table.add_row("apples of the trapped agent", *(f"{x:.1f}" for x in apples[:, 1]))
    strongest = [trace.influence[:, 0, 1].max() for trace in traces]
    table.add_row("strongest influence in the video (nats)", *(f"{x:.2g}" for x in strongest))
    table.caption = f"The video is of seed {shown}, which opens most often."
    return table


def harvest(out: pathlib.Path) -> Table:
    """Train five agents with models of each other for a short while, and show what they do and do not learn."""
    config = presets.get("harvest-moa", profile="small")
    with Progress() as progress:
        run = train(config, total_steps=HARVEST_STEPS, out=out / "harvest", callback=progress)
    after = evaluate(run.learner, run.state, HARVEST_EPISODES)
    figure = plot_learning_curves(run, title="Five agents on Harvest, influence as a reward")
    figure.savefig(out / "learning_curves.png")
    run.trace().video(out / "harvest.gif", fps=15, stop=200, scale=16)
    first, last = ({name: x[i].mean() for name, x in run.metrics.items()} for i in (0, -1))
    table = Table(title=f"Harvest, {run.update * config.steps_per_update:,} steps, one seed")
    for column in ("", "start", "end"):
        table.add_column(column, justify="right" if column else "left")
    for name, column in (
        ("influence (nats per step)", "influence"),
        ("sight (nats)", "agent_sight"),
        ("entropy of the policies (nats)", "entropy"),
        ("cross-entropy of the models of others (nats)", "moa_cross_entropy"),
        ("  of guessing by how often each acts how", "moa_marginal_cross_entropy"),
    ):
        table.add_row(name, f"{first[column]:.3g}", f"{last[column]:.3g}")
    table.add_row(f"collective return ({HARVEST_EPISODES} episodes)", "", f"{after.collective_return.mean():.0f}")
    table.add_row("shots per episode", "", f"{after.metrics['fires'].sum(axis=-1).mean():.0f}")
    gain = last["moa_marginal_cross_entropy"] - last["moa_cross_entropy"]
    better = "better than" if gain > 0.02 else "no better than"
    table.caption = (
        "Seen: agents stop shooting, and begin to see. "
        f"The models of others are {better} guessing by frequencies ({gain:+.3f} nats): "
        "what influence does in this game takes a run a thousand times as long, and is not shown here."
    )
    return table
