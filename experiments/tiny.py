"""Does an influence reward help on a map small enough to learn in minutes, and is it influence that helps?

Written down before any run was made. Primary: the collective return of the last fifth of a run, real influence against no pay,
and real influence against the influence of another environment (``shuffled``), two-sided permutation tests over seeds, Holm
over these two. Everything else is description. Every pay is scaled to the same share of the agents' income, so that conditions
differ in what is paid for and not in how much. Agents that are paid for influence may simply learn to draw beams, which others
see. If the effect disappears once beams are not drawn, and a bonus for acts that draw one is worth as much, it is shaping and
not influence.
"""

import json
import pathlib
from typing import Any

import numpy as np
import tyro
from conditions import RUNS, Game, Scale, joined, late, place, trained
from items import gate, results_of, write
from matplotlib.figure import Figure

from influence_jax import analysis
from influence_jax.analysis.style import COLUMN, new_figure, styled

CONDITIONS = ("unpaid", "real", "shuffled", "beam bonus", "modelled", "basic", "communication", "prosocial")
CONDITIONS += ("unpaid, beams hidden", "real, beams hidden")
BLOCKS = 2  # twice the seeds of other items
PRIMARY = ("unpaid", "shuffled")  # what "real" is compared with
SHOWN = ("collective_return", "apples", "cleans", "fires", "equality", "influence", "entropy", "explained_variance")


def summarise(metrics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every seed's late means and the gate: every agent's sight and share of saturated units."""
    return {name: late(metrics, name) for name in SHOWN if name in metrics} | gate(metrics)


def tested(table: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare the return of "real" with that of every other condition; p is Holm's for the two primary tests."""
    real = np.array(table["real"]["collective_return"])
    rows = []
    for name in (name for name in table if name != "real"):
        other = np.array(table[name]["collective_return"])
        difference = analysis.welch_interval(real, other)
        p = analysis.permutation_test(real, other, resamples=100_000)
        bounds = difference.value, difference.low, difference.high
        rows.append({"against": name, "difference": bounds, "p": p, "g": analysis.hedges_g(real, other)})
    primary = [row for row in rows if row["against"] in PRIMARY]
    for row, p in zip(primary, analysis.holm([row["p"] for row in primary]), strict=True):
        row["p_holm"] = float(p)
    return rows


@styled
def drawn(table: dict[str, dict[str, Any]]) -> Figure:
    """Draw the late return of every seed, one row per condition, with the mean and its 95 % interval.

    Prosocial agents are left out: they return several times as much, so that the others would share a fifth of the axis.
    """
    table = {name: columns for name, columns in table.items() if name != "prosocial"}
    figure = new_figure(2 * COLUMN, 0.25 * len(table) + 0.6)
    axes = figure.subplots()
    for row, columns in enumerate(table.values()):
        values = np.array(columns["collective_return"])
        mean = analysis.t_interval(values)
        axes.plot(values, row + np.linspace(-0.2, 0.2, len(values)), "o", color="0.6", markersize=3)
        axes.errorbar(mean.value, row, xerr=[[mean.value - mean.low], [mean.high - mean.value]], fmt="k|", capsize=3)
    axes.set(yticks=range(len(table)), yticklabels=list(table), ylim=(len(table) - 0.5, -0.5))
    said = "each seed, and mean with 95 % interval"
    axes.set_xlabel(f"collective return, last fifth of the run (reward per episode)\n{said}")
    return figure


def main(
    names: tuple[str, ...] = CONDITIONS,
    game: Game = "cleanup",
    scale: Scale = "small",
    out: pathlib.Path = RUNS,
) -> None:
    """Train conditions, and write every seed's results, the tests and a figure.

    Args:
        names: the conditions to train; existing results of others are kept.
        game: the game.
        scale: "smoke" or "small".
        out: directory of the runs; an unfinished one is resumed, a finished one is read.
    """
    if scale not in ("smoke", "small"):
        raise SystemExit(f"scale is {scale!r}, but these conditions are for small maps; allowed: smoke, small.")
    if unknown := [name for name in names if name not in CONDITIONS]:
        raise SystemExit(f"names has {unknown[0]!r}; allowed: {', '.join(CONDITIONS)}.")
    where = results_of(f"tiny_{game}", scale, out)
    path = where / "seeds.json"
    for name in names:
        columns = summarise(joined(trained(name, game, scale, place(game, scale, out), BLOCKS)))
        table = json.loads(path.read_text()) if path.exists() else {}
        table = {key: (table | {name: columns})[key] for key in CONDITIONS if key in table or key == name}
        write(path, table)
        print(name, np.round(columns["collective_return"], 1), flush=True)
    if "real" in table:
        rows = tested(table)
        write(where / "tests.json", rows)
        print(*rows, sep="\n")
    drawn(table).savefig(where / "figure.png")


if __name__ == "__main__":
    tyro.cli(main)
