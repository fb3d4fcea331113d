"""A short demonstration: an agent that is rewarded for influence frees another, and one that is not does not.

Box Trapped with influence weights 0 and 4, two seeds each, in one program, and then a small Cleanup; a few minutes on two
cores. Runs, images and videos are written into a directory.
"""

import pathlib

import numpy as np
from rich.table import Table

from influence_jax import presets
from influence_jax.analysis.figures import plot_learning_curves
from influence_jax.analysis.influence import influence_by_action
from influence_jax.envs.grid import maps
from influence_jax.envs.grid.render import Video
from influence_jax.evaluation.episodes import evaluate
from influence_jax.runtime.population import grid
from influence_jax.runtime.progress import Progress
from influence_jax.runtime.run import train

WEIGHTS = (0, 4)
BOX_TRAPPED_STEPS = 1_500_000  # enough with weight 4; weight 2 needs the preset's 2.4 million
SEEDS = 2
EPISODES = 100
CLEANUP_STEPS = 150_000
CLEANUP_EPISODES = 10
ARROW = 1.0  # nats; influence of an arrow at full width


def box_trapped(out: pathlib.Path) -> Table:
    """Train openers without and with influence reward, and save videos of two members of the seed that opens most often."""
    config = presets.get("box-trapped-basic", total_steps=BOX_TRAPPED_STEPS)
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


def cleanup(out: pathlib.Path) -> Table:
    """Train three agents with models of each other on a small Cleanup, and show by which actions they influence each other."""
    settings = presets.SMALL_GAME | {"env.layout": maps.SMALL_CLEANUP, "total_steps": CLEANUP_STEPS, "log_interval": 30}
    paid = {"influence.pay": "income_share", "income_share": 1, "influence_weight": 0}
    config = presets.get("cleanup-moa", "small", **settings, **paid)
    with Progress() as progress:
        run = train(config, out=out / "cleanup", callback=progress)
    figure = plot_learning_curves(run, title="Three agents on a small Cleanup, paid for influence")
    figure.savefig(out / "learning_curves.png")
    traces = [run.trace(seed=seed, real=True) for seed in range(CLEANUP_EPISODES)]
    traces[0].video(out / "cleanup.gif", fps=8, scale=32)
    actions = np.stack([trace.actions for trace in traces])
    real, modelled = (np.stack([getattr(trace, name) for trace in traces]) for name in ("known_influence", "influence"))
    table = Table(title=f"Cleanup, {run.update * config.steps_per_update:,} steps, one seed")
    table.add_column("action", no_wrap=True)
    for column in ("share of actions", "real influence (nats)", "share of it", "their models' estimate (nats)"):
        table.add_column(column, justify="right")
    names = run.learner.env.spec.action_names
    truth, belief = (influence_by_action(x, actions, len(names)) for x in (real, modelled))
    for a in np.argsort(-truth["share_of_influence"], kind="stable"):
        if truth["share_of_actions"][a]:
            taken, held = (f"{truth[name][a]:.0%}" for name in ("share_of_actions", "share_of_influence"))
            table.add_row(names[a], taken, f"{truth['influence'][a]:.2g}", held, f"{belief['influence'][a]:.2g}")
    pairs = ", ".join(f"{k} on {j} {real[..., k, j].mean():.2g}" for k in range(3) for j in range(3) if k != j)
    returned = np.mean([trace.rewards.sum() for trace in traces])
    sight = run.metrics["agent_sight"][-1].min()
    table.caption = (
        f"Influence on both others together, in {CLEANUP_EPISODES} episodes. Real influence of k on j (nats): {pairs}. "
        f"Collective return {returned:.1f}. The agent that sees least has a sight of {sight:.2f} nats: "
        "they have only begun to learn."
    )
    return table
