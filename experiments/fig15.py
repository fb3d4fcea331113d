"""Do agents who value the others' rewards earn more, and share less equally? (Fig. 15 and section 10.5.2)"""

import pathlib

import numpy as np
import tyro
from conditions import GAMES, RUNS, Game, Scale, joined, late, place, trained
from items import results_of, write

import influence_jax

CONDITIONS = ("prosocial", "unpaid")


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Train both or read them, and compare returns, equality and who earns anything.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where = results_of("fig15", scale, out)
    for game in games:
        metrics = {name: joined(trained(name, game, scale, place(game, scale, out))) for name in CONDITIONS}
        comparisons = {metric: influence_jax.compare(metrics, metric) for metric in ("collective_return", "equality")}
        results = {
            metric: {"rows": comparison.rows, "scores": comparison.scores} for metric, comparison in comparisons.items()
        }
        # The paper found no solution of Cleanup with a return above 20 in which everybody's own return is positive.
        returns = {name: late(values, "agent_returns") for name, values in metrics.items()}
        results["agent_returns"] = returns
        results["seeds_in_which_all_earn"] = {name: int(np.all(x > 0, axis=1).sum()) for name, x in returns.items()}
        write(where / f"{scale}_{game}.json", results)
        figure = influence_jax.plot_learning_curves(metrics, list(comparisons), title=f"{game}, {scale}")
        figure.savefig(where / f"{scale}_{game}.png", dpi=100)
        print(*comparisons.values(), results["seeds_in_which_all_earn"], sep="\n", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
