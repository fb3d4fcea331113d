"""Are agents on Harvest blind late in training, or is there nothing left to see?

Sight is a mean over whole episodes. Here it is taken apart, over the steps in which an agent has an apple in its window and over
the others.
"""

import pathlib
from typing import Any

import numpy as np
import tyro
from conditions import RUNS, Scale, place, trained
from items import results_of, write
from matplotlib.figure import Figure

import influence_jax
from influence_jax.analysis.style import LINES, legend_below, new_axes, styled
from influence_jax.envs.grid import vision
from influence_jax.learner.sight import sight

CONDITIONS = ("unpaid", "modelled", "modelled, shuffled")
EPISODES = 4


def apple_in_view(observations: np.ndarray) -> np.ndarray:
    """Return ``bool[T,N]`` for windows ``u8[T,N,V,V,3]``."""
    return (observations == vision.PALETTE[vision.APPLE]).all(axis=-1).any(axis=(-2, -1))


def watched(run: influence_jax.Run, member: int) -> dict[str, Any]:
    """Return every agent's sight in all of a member's steps, with an apple in view and without, and the apples left by step."""
    traces = [run.trace(member, seed) for seed in range(EPISODES)]
    policy = np.concatenate([trace.log_policy for trace in traces])
    seen = np.concatenate([apple_in_view(trace.observations) for trace in traces])
    parts = {"sight": np.ones_like(seen), "sight with an apple in view": seen, "sight without": ~seen}
    return {
        **{name: np.where(part.any(axis=0), sight(policy, part), np.nan) for name, part in parts.items()},
        "steps with an apple in view": seen.mean(axis=0),
        "apples left": np.mean([trace.states.apples[:-1].sum(axis=(1, 2)) for trace in traces], axis=0),
    }


@styled
def drawn(found: dict[str, list[dict[str, Any]]]) -> Figure:
    """Draw the apples left during an episode, and every agent's sight with an apple in view by that without."""
    figure, (field, sights) = new_axes(None, 2, "")
    handles = []
    for (name, seeds), style in zip(found.items(), LINES, strict=False):
        plain = {key: value for key, value in style.items() if key != "marker"}
        field.plot(np.mean([seed["apples left"] for seed in seeds], axis=0), **plain)
        at = (np.ravel([seed[column] for seed in seeds]) for column in ("sight without", "sight with an apple in view"))
        handles += sights.plot(*at, label=name, alpha=0.7, **style | {"linestyle": ""})
    field.set(xlabel="step of the episode", ylabel="apples left", ylim=(0, None))
    sights.set(
        xlabel="sight without an apple in view (nats)", ylabel="sight with one (nats)", xlim=(0, None), ylim=(0, None)
    )
    legend_below(figure, handles)
    return figure


def main(names: tuple[str, ...] = CONDITIONS, scale: Scale = "full", out: pathlib.Path = RUNS) -> None:
    """Train the conditions on Harvest or read them, and write what each agent sees, and a figure.

    Args:
        names: the conditions.
        scale: as in conditions.py.
        out: directory of the runs.
    """
    path = results_of("empty_field", scale, out) / f"{scale}_harvest.json"
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        for run in trained(name, "harvest", scale, place("harvest", scale, out)):
            found.setdefault(name, []).extend(watched(run, member) for member in range(len(run.members)))
        columns = ("sight with an apple in view", "sight without", "steps with an apple in view")
        ranges = {column: np.nanquantile([seed[column] for seed in found[name]], (0, 1)) for column in columns}
        print(name, ranges, flush=True)
    write(path, found)
    drawn(found).savefig(path.with_suffix(".png"))


if __name__ == "__main__":
    tyro.cli(main)
