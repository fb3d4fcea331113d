"""Does influence make an agent open another's cell, at a cost and for no reward of its own? (Fig. 12 and 13, section 10.3)"""

import dataclasses
import functools
import json
import math
import pathlib

import jax
import numpy as np
import tyro
from conditions import RUNS, Scale
from items import results_of
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import influence_jax
from influence_jax import analysis
from influence_jax.analysis.style import COLUMN, HEIGHT, legend_below, new_figure, styled
from influence_jax.config import ExperimentConfig, InfluenceConfig
from influence_jax.learner.rollout import init_rollout, rollout

WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
SEEDS = 5
SHOWN_WEIGHT = 2.0  # the influence weight of the video
TRAJECTORIES = 100
# Opening costs one step, hence one apple. Its influence is at most the surprisal of a listener who leaves at once and otherwise
# acts at random (8 actions), so it pays off above this weight.
PREDICTED_THRESHOLD = 1 / math.log(8)

SMOKE = {"conv_channels": 2, "hidden_size": 8, "core_size": 8, "num_envs": 2, "total_steps": 80, "log_interval": 1}


def programs(scale: Scale) -> dict[str, tuple[ExperimentConfig, dict[float, str]]]:
    """Return the experiments: A3C, and agents who see the opener's action, with all influence weights by name in one program."""
    a3c = influence_jax.presets.get("box-trapped", seeds=SEEDS, **(SMOKE if scale == "smoke" else {}))
    basic = dataclasses.replace(a3c, influence=InfluenceConfig(model="basic"), seeds=1)
    weighted = {0.0: "visible-actions"} | {weight: f"influence-{weight:g}" for weight in WEIGHTS}
    return {"a3c": (a3c, {0.0: "a3c"}), "basic": (basic, weighted)}


@functools.partial(jax.jit, static_argnums=0)
def watch(learner, members):
    """Play with every member; return ``opened bool[S,P,T]`` and the opener's influence on the trapped agent, f32[S,P,T], nats."""

    def one_member(member):
        start = init_rollout(learner, member.env_params, jax.random.key(1), TRAJECTORIES, staggered=False)
        _, steps, _ = rollout(learner, member, start, learner.env.spec.horizon, jax.random.key(2))
        return (steps.metrics["opens"][..., 0] > 0).T, steps.actor_output.influence[:, :, 0, 1].T

    return jax.vmap(one_member)(members)


def summarise(opened: np.ndarray, influence: np.ndarray) -> dict[str, list]:
    """Return each seed's opening fraction with 95 % Wilson interval, median opening step, and influence then and otherwise."""
    rows = {"opened": [], "interval": [], "median_step": [], "influence_when_opening": [], "influence_otherwise": []}
    for opens, nats in zip(opened, influence, strict=True):
        count = int(opens.any(axis=1).sum())
        interval = analysis.wilson_interval(count, TRAJECTORIES)
        rows["opened"].append(count / TRAJECTORIES)
        rows["interval"].append([round(float(x), 3) for x in (interval.low, interval.high)])
        rows["median_step"].append(float(np.median(np.nonzero(opens)[1])) if count else None)
        rows["influence_when_opening"].append(round(float(nats[opens].mean()), 4) if count else None)
        rows["influence_otherwise"].append(round(float(nats[~opens].mean()), 6))
    return rows


@styled
def drawn(table: dict[str, dict[str, list]]) -> Figure:
    """Draw what each seed's opener does, against the influence weight: how often and when it opens, and its influence then."""
    figure = new_figure(2 * COLUMN, HEIGHT)
    fractions, steps, influence = figure.subplots(1, 3)
    kinds = {
        "A3C": {"color": "#d55e00", "marker": "x"},
        "sees the opener's action": {"color": "#0072b2", "marker": "o"},
        "the same, in steps without an opening": {"color": "0.5", "marker": "v"},
    }
    handles = [Line2D([], [], linestyle="", label=label, **style) for label, style in kinds.items()]
    weights = {"a3c": 0.0, "visible-actions": 0.0} | {f"influence-{weight:g}": weight for weight in WEIGHTS}
    alone, seeing, otherwise = ({"linestyle": "", "alpha": 0.6} | style for style in kinds.values())
    for name, columns in table.items():
        style = alone if name == "a3c" else seeing
        values = {column: np.array(x, float) for column, x in columns.items()}
        at = np.full(SEEDS, weights[name])
        fractions.plot(at, values["opened"], **style)
        steps.plot(at, values["median_step"], **style)
        if name != "a3c":
            influence.plot(at, values["influence_when_opening"], **seeing)
            influence.plot(at, values["influence_otherwise"], **otherwise)
    handles.append(
        fractions.axvline(PREDICTED_THRESHOLD, color="0.5", linestyle=":", label="worth while above (predicted)")
    )
    fractions.set(ylabel="share of episodes opened", ylim=(-0.04, 1.04))
    steps.set(ylabel="median opening step", ylim=(0, None))
    influence.set_yscale("symlog", linthresh=1e-6)  # it may be 0
    influence.set(ylabel="influence of the opener (nats)", ylim=(0, None))
    for axes in (fractions, steps, influence):
        axes.set_xlabel("influence weight")
    legend_below(figure, handles)
    return figure


def main(scale: Scale = "small", out: pathlib.Path = RUNS) -> None:
    """Train every condition, and write a table, a figure and two videos.

    Args:
        scale: "smoke" trains two updates, only to check that it runs; the others are the same.
        out: directory of the runs; an unfinished one is resumed.
    """
    results = results_of("box_trapped", scale, out)
    table = {}
    for program, (config, weights) in programs(scale).items():
        where = out / "box_trapped" / program
        members = influence_jax.grid(seeds=SEEDS, influence_weight=tuple(weights)) if len(weights) > 1 else {}
        with influence_jax.Progress() as progress:
            run = influence_jax.train(config, hyperparams=members, out=where, resume=where.exists(), callback=progress)
        opened, influence = jax.device_get(watch(run.learner, run.state.member))
        for number, name in enumerate(weights.values()):
            seeds = slice(number * SEEDS, (number + 1) * SEEDS)
            table[name] = summarise(opened[seeds], influence[seeds])
            print(name, table[name]["opened"], flush=True)
            video = {"a3c": "trapped.gif", f"influence-{SHOWN_WEIGHT:g}": "freed.gif"}.get(name)
            if video:
                run.trace(number * SEEDS).video(results / video, fps=8)
    (results / "table.json").write_text(json.dumps({"threshold": PREDICTED_THRESHOLD, "conditions": table}) + "\n")
    drawn(table).savefig(results / "figure.png")


if __name__ == "__main__":
    tyro.cli(main)
