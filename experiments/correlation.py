"""Do agents who are influenced more earn more? (Section 5.1; the paper reports .67 in Cleanup and .34 in Harvest)

Conditions are the trials of the random search of tables1to3.py, whose settings differ as the paper's did. Each model is also
looked at by itself, because influence by actions and by messages differ in size.
"""

import dataclasses
import pathlib

import numpy as np
import tyro
from conditions import GAMES, RUNS, Game, Scale
from items import results_of, write
from matplotlib.figure import Figure
from tables1to3 import searched

from influence_jax import analysis

CONDITIONS = ("visible actions", "basic", "communication, unpaid", "communication", "modelled, unpaid", "modelled")
EPISODES = {"smoke": 1, "small": 5, "full": 5, "paper": 5}


def points(condition: str, game: Game, scale: Scale, out: pathlib.Path) -> np.ndarray:
    """Return the influence that every agent of every trial receives per step, and its return, ``f64[2,C,N]``."""
    found = []
    for run in searched(condition, game, scale, out).runs:
        for member in range(len(run.members)):
            traces = [run.trace(member, seed=seed) for seed in range(EPISODES[scale])]
            received = np.mean([trace.influence.sum(axis=1).mean(axis=0) for trace in traces], axis=0)
            found.append((received, np.mean([trace.rewards.sum(axis=0) for trace in traces], axis=0)))
    return np.swapaxes(np.array(found, float), 0, 1)


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Search or read the searches, play episodes with every trial, and correlate.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where = results_of("correlation", scale, out)
    for game in games:
        found = {name: points(name, game, scale, out) for name in CONDITIONS}
        # At the scale "paper", the presets of basic influence measure it otherwise.
        alike = [x for name, x in found.items() if scale != "paper" or name != "basic"]
        groups = {"all": np.concatenate(alike, axis=1)}
        groups |= {name: x for name, x in found.items() if x.shape[1] >= 4}
        results = {name: dataclasses.asdict(analysis.influence_and_reward(*x)) for name, x in groups.items()}
        write(where / f"{scale}_{game}.json", {"correlations": results, "points": found})
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for name, (received, returns) in found.items():
            axes.plot(received.mean(axis=1), returns.mean(axis=1), "o", alpha=0.6, label=name)
        axes.set(xlabel="influence received by an agent (nats per step)", ylabel="return of an agent", xscale="log")
        axes.set(title=f"{game}, {scale}: each point a trial")
        axes.legend(fontsize="small")
        figure.savefig(where / f"{scale}_{game}.png", dpi=100)
        print(game, results["all"], sep="\n", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
