"""Does influence help at the five best settings of a search? (Fig. 17)

The five best settings of each condition are trained again on five new seeds, so that no score is one by which a setting was
chosen. A control, which is paid the influence of another environment, has the settings of its reward.
"""

import pathlib

import numpy as np
import tyro
from conditions import GAMES, RUNS, Game, Scale, configured, place, slug
from items import results_of, write
from tables1to3 import searched, space, swept

import influence_jax

FIRST_SEED = 100
PANELS = (
    ("basic", "visible actions", "unpaid", "basic, shuffled"),
    ("communication", "communication, unpaid", "unpaid", "communication, shuffled"),
    ("modelled", "modelled, unpaid", "unpaid", "modelled, shuffled"),
)


def retrained(condition: str, game: Game, scale: Scale, out: pathlib.Path) -> influence_jax.Sweep:
    """Train the best settings of a condition on new seeds, go on with it, or read it."""
    tuned = condition.removesuffix(", shuffled")
    names = space(tuned, scale)
    count, seeds = (1, 2) if scale == "smoke" else (5, 5)
    best = [{name: trial[name] for name in names} for trial in searched(tuned, game, scale, out).best(count)]
    config = configured(condition, game, scale).override(seed=FIRST_SEED, seeds=seeds)
    return swept(config, place(game, scale, out) / "best" / slug(condition), listed=best)


def main(
    names: tuple[str, ...] = tuple(panel[0] for panel in PANELS),
    scale: Scale = "small",
    games: tuple[Game, ...] = GAMES,
    out: pathlib.Path = RUNS,
) -> None:
    """Search, train the best again, and compare conditions, each with all seeds of its best settings.

    Args:
        names: the rewards, each of which is compared with the same agents unpaid, with A3C, and with its control.
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where = results_of("fig17", scale, out)
    for game in games:
        for panel in (panel for panel in PANELS if panel[0] in names):
            metrics = {name: _all_members(retrained(name, game, scale, out)) for name in panel}
            comparison = influence_jax.compare(metrics)
            path = where / f"{scale}_{game}_{panel[0]}"
            write(path.with_suffix(".json"), {"rows": comparison.rows, "scores": comparison.scores})
            influence_jax.plot_comparison(comparison, title=f"{game}, {scale}").savefig(
                path.with_suffix(".png"), dpi=100
            )
            print(comparison, flush=True)


def _all_members(sweep: influence_jax.Sweep) -> dict[str, np.ndarray]:
    metrics = [record.metrics for _, record in sweep.recorded]
    return {name: np.concatenate([x[name] for x in metrics], axis=1) for name in metrics[0]}


if __name__ == "__main__":
    tyro.cli(main)
