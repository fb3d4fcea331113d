"""What do agents of each condition return at the end of training? (Table 4)"""

import pathlib

import tyro
from conditions import GAMES, OF_THE_PAPER, RUNS, Game, Scale, joined, place, trained
from items import eaters, results_of, write
from matplotlib.figure import Figure

import influence_jax
from influence_jax.analysis.curves import final_sight
from influence_jax.analysis.style import COLUMN, new_figure, styled

# Collective returns of the paper, and of Hughes et al. (2018) for inequity aversion.
PAPER = {
    "cleanup": {"unpaid": 89, "inequity averse": 275, "basic": 190, "communication": 166, "modelled": 392},
    "harvest": {"unpaid": 485, "inequity averse": 750, "basic": 1073, "communication": 951, "modelled": 588},
}


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Train the conditions or read them, and tabulate final returns with and without seeds in which an agent hardly eats.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where = results_of("table4", scale, out)
    for game in games:
        metrics = {name: joined(trained(name, game, scale, place(game, scale, out))) for name in OF_THE_PAPER}
        comparison = influence_jax.compare(metrics)
        rows = []
        for row, (name, scores) in zip(comparison.rows, comparison.scores.items(), strict=True):
            kept, sight = eaters(metrics[name], game, scale), final_sight(metrics[name])
            filtered = {"all_eat": kept, "mean_if_all_eat": scores[kept].mean() if kept.any() else None}
            rows.append(row | {"paper": PAPER[game].get(name), "sight": sight} | filtered)
        write(where / f"{scale}_{game}.json", {"rows": rows, "scores": comparison.scores})
        drawn(comparison, f"{game}, {scale}").savefig(where / f"{scale}_{game}.png")
        print(comparison, flush=True)


@styled
def drawn(comparison: influence_jax.analysis.Comparison, title: str) -> Figure:
    """Draw the scores of all conditions, with room for a name and a p-value in each row."""
    figure = new_figure(2 * COLUMN, 0.4 * len(comparison.rows))
    influence_jax.plot_comparison(comparison, ax=figure.subplots(), title=title)
    return figure


if __name__ == "__main__":
    tyro.cli(main)
