"""What the items of the paper have in common: where results go, and the comparison of conditions in both games."""

import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from conditions import GAMES, ON_FULL_MAPS, ROOT, RUNS, Game, Scale, joined, late, place, slug, trained

import influence_jax
from influence_jax import analysis

RESULTS = ROOT / "experiments" / "results"


def results_of(item: str, scale: Scale, out: pathlib.Path = RUNS) -> pathlib.Path:
    """Return the directory of an item's results: in this repository, or next to the runs at the scale "smoke"."""
    where = (out / "results" if scale == "smoke" else RESULTS) / item
    where.mkdir(parents=True, exist_ok=True)
    return where


def write(path: pathlib.Path, values: Any) -> None:
    """Write results as JSON, with four digits, null for what is not a number, and a line for each list of numbers."""
    spread = json.dumps(_plain(values), indent=1)
    path.write_text(re.sub(r"\[([^][{}]*)\]", lambda found: f"[{' '.join(found[1].split())}]", spread) + "\n")


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {str(name): _plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    if isinstance(values, np.ndarray | np.generic):
        return _plain(values.tolist())
    if isinstance(values, float):
        return float(f"{values:.4g}") if np.isfinite(values) else None
    return values


def eaters(metrics: dict[str, np.ndarray], game: Game, scale: Scale) -> np.ndarray:
    """Return ``bool[S]``: the seeds that count. In Harvest, the paper drops those in which an agent hardly eats."""
    if game == "cleanup":
        return np.ones(metrics["env_steps"].shape[1], bool)
    least = 5.0 if scale in ON_FULL_MAPS else 0.5  # of an episode with 1000 or 100 steps
    return analysis.seeds_in_which_all_eat(metrics["agent_apples"], least=least)


def gate(metrics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what agents must pass to count, and their influence: every agent's sight and saturated units, late in training."""
    columns = {"sight": "agent_sight", "saturated": "agent_saturated_policy", "influence": "influence"}
    return {name: late(metrics, column) for name, column in columns.items() if column in metrics}


def compared(
    item: str,
    names: Sequence[str],
    scale: Scale,
    games: Sequence[Game] = GAMES,
    out: pathlib.Path = RUNS,
    blocks: int = 1,
    metric: str = "collective_return",
) -> None:
    """Compare the first condition with the others in each game; write every seed's score and gate, the tests and a figure.

    Tests are two-sided permutation tests over seeds, with Holm's correction over the comparisons of a figure.
    """
    where = results_of(item, scale, out)
    for game in games:
        metrics = {name: joined(trained(name, game, scale, place(game, scale, out), blocks)) for name in names}
        for values in metrics.values():
            values["weighted_return"] = values["collective_return"] * values["equality"]
        comparison = influence_jax.compare(metrics, metric)
        corrected = analysis.holm([row["p"] for row in comparison.rows[1:]])
        rows = [row | {"p_holm": p} for row, p in zip(comparison.rows, (np.nan, *corrected), strict=True)]
        kept = {name: eaters(values, game, scale) for name, values in metrics.items()}
        results = {"rows": rows, "scores": comparison.scores, "all_eat": kept, "notes": comparison.notes}
        results["gate"] = {name: gate(values) for name, values in metrics.items()}
        path = where / f"{scale}_{game}_{slug(names[0])}"
        write(path.with_suffix(".json"), {"metric": metric} | results)
        figure = influence_jax.plot_comparison(comparison, title=f"{game}, {scale}")
        figure.savefig(path.with_suffix(".png"), dpi=100)
        print(comparison, flush=True)
