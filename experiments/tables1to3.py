"""Which hyper-parameters does a random search with the same budget for every condition find? (Tables 1 to 3)

Conditions draw the same values of what they share. The paper gives the settings that it found, but not the ranges it searched,
except for the number of influencers (1 to 4), the curriculum (1 to 350 million steps) and the weight of others' rewards (0 to
2); ours contain all settings that it found.
"""

import pathlib
from typing import Any

import tyro
from conditions import GAMES, OF_THE_PAPER, RUNS, SIZES, Game, Scale, configured, finished, place, slug
from items import results_of, write

import influence_jax
from influence_jax.analysis.tables import text_table

CONDITIONS = tuple(name for name in OF_THE_PAPER if not name.endswith(", shuffled"))


def space(condition: str, scale: Scale) -> dict[str, str]:
    """Return the ranges of a condition's settings."""
    full = scale == "paper"
    pay = {"influence_weight": "log:0.1:5"} if full else {"income_share": "log:0.1:10"}
    pay |= {"influence_curriculum": "uniform:0:1" if full else "uniform:0.07:1"}
    seen = {"influence.num_influencers": "choice:1,2,3,4" if full else "choice:1,2"}
    talking = {"message_entropy_coef": "log:1.5e-4:2e-2", "message_loss_weight": "log:0.03:1"}
    modelling = {"moa_loss_weight": "log:0.5:20"}
    own = {
        "visible actions": seen,
        "basic": seen | {"influencee_share": "choice:0,1"} | pay,
        "communication, unpaid": talking,
        "communication": talking | {"message_extrinsic_weight": "choice:0,1"} | pay,
        "modelled, unpaid": modelling,
        "modelled": modelling | pay,
        "prosocial": {"prosocial_weight": "uniform:0:2"},
    }
    return {"learning_rate": "log:3e-4:3e-3", "entropy_coef": "log:1.5e-4:2e-2"} | own.get(condition, {})


def searched(condition: str, game: Game, scale: Scale, out: pathlib.Path) -> influence_jax.Sweep:
    """Run the search of a condition, one seed per setting, go on with it, or read it."""
    config, where = configured(condition, game, scale).override(seeds=1), place(game, scale, out) / "search"
    return swept(config, where / slug(condition), random=space(condition, scale), trials=SIZES[scale].trials)


def swept(config: influence_jax.ExperimentConfig, where: pathlib.Path, **trials: Any) -> influence_jax.Sweep:
    """Run a sweep of these trials, go on with it, or read it."""
    with influence_jax.Progress() as progress:
        return finished(influence_jax.sweep(config, **trials, out=where, resume=True, callback=progress))


def main(
    names: tuple[str, ...] = CONDITIONS,
    scale: Scale = "small",
    games: tuple[Game, ...] = GAMES,
    out: pathlib.Path = RUNS,
) -> None:
    """Search for each condition, and write all trials and the best.

    Args:
        names: the conditions.
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where = results_of("tables1to3", scale, out)
    for game in games:
        for name in names:
            sweep, ranges = searched(name, game, scale, out), space(name, scale)
            trials = [{column: row[column] for column in (*ranges, "collective_return")} for row in sweep.rows()]
            found = {"ranges": ranges, "trials": trials, "best": sweep.best(1)}
            write(where / f"{scale}_{game}_{slug(name)}.json", found)
            print(game, name, text_table(sweep.best(3)), sep="\n", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
