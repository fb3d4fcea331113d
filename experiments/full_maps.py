"""What does the profile `large` learn on the full maps: alone, prosocial, with influence reward, with more entropy?"""

import dataclasses
import json
import pathlib

import numpy as np
import tyro
from matplotlib.figure import Figure

import influence_jax

HERE = pathlib.Path(__file__).parent
SEEDS = 5
LOG_POINTS = 60
SHOWN = ("collective_return", "equality", "entropy", "cleans", "fires", "reward_std", "explained_variance")
SHOWN += ("influence", "mutual_information", "moa_cross_entropy", "moa_marginal_cross_entropy")


@dataclasses.dataclass(frozen=True)
class Condition:
    """A preset, its length, and a factor for its entropy weight."""

    preset: str
    total_steps: int
    entropy: float = 1.0


CONDITIONS = {
    "Cleanup, selfish": Condition("cleanup-a3c", 12_000_000),
    "Cleanup, prosocial": Condition("cleanup-prosocial", 12_000_000),
    "Cleanup, influence": Condition("cleanup-basic", 12_000_000),
    "Cleanup, model of others": Condition("cleanup-moa", 12_000_000),
    "Harvest": Condition("harvest-a3c", 6_000_000),
    "Harvest, 4 x entropy": Condition("harvest-a3c", 6_000_000, entropy=4.0),
    "Harvest, influence": Condition("harvest-basic", 6_000_000),
    "Harvest, model of others": Condition("harvest-moa", 6_000_000),
}


def configured(condition: Condition) -> influence_jax.ExperimentConfig:
    """Return the configuration of a condition, with five seeds."""
    config = influence_jax.presets.get(condition.preset, profile="large")
    entropy_coef = condition.entropy * config.hyperparams.entropy_coef
    return dataclasses.replace(
        config,
        hyperparams=config.hyperparams.replace(entropy_coef=entropy_coef),
        total_steps=condition.total_steps,
        seeds=SEEDS,
        log_interval=max(1, condition.total_steps // config.steps_per_update // LOG_POINTS),
    )


def summarise(metrics: dict[str, np.ndarray]) -> dict:
    """Return environment steps and one curve per seed for each metric; None if no episode ended."""
    curves = {
        name: [[float(f"{x:.4g}") if np.isfinite(x) else None for x in seed] for seed in metrics[name].T]
        for name in SHOWN
        if name in metrics
    }
    return {"env_steps": metrics["env_steps"][:, 0].astype(int).tolist(), **curves}


def draw(table: dict, path: pathlib.Path) -> None:
    """Draw the returns, one panel per game and one line per seed."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = dict(zip(("Cleanup", "Harvest"), figure.subplots(1, 2), strict=True))
    lowest = {"Cleanup": -50, "Harvest": 0}
    for name, curves in table.items():
        game = name.partition(",")[0]
        color = f"C{[n for n in table if n.startswith(game)].index(name)}"
        steps = np.array(curves["env_steps"]) / 1e6
        for seed, values in enumerate(curves["collective_return"]):
            panels[game].plot(steps, np.array(values, float), color=color, linewidth=0.8, label=None if seed else name)
    for game, axes in panels.items():
        axes.set(xlabel="million environment steps", ylabel="collective return", title=game, ylim=(lowest[game], None))
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=100)


def main(names: tuple[str, ...] = tuple(CONDITIONS), out: pathlib.Path = HERE.parent / "runs" / "full_maps") -> None:
    """Train conditions and write curves and a figure to experiments/results/full_maps.

    Args:
        names: the conditions to train; existing results of others are kept.
        out: directory of the runs; an unfinished one is resumed, a finished one is read.
    """
    results = HERE / "results" / "full_maps"
    results.mkdir(parents=True, exist_ok=True)
    path = results / "curves.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        condition = CONDITIONS[name]
        where = out / name.replace(", ", "-").replace(" ", "")
        with influence_jax.Progress() as progress:
            run = influence_jax.train(configured(condition), out=where, resume=where.exists(), callback=progress)
        table[name] = summarise(run.metrics)
        last = np.nanmean(run.metrics["collective_return"][-LOG_POINTS // 8 :], axis=0)
        print(name, np.round(last, 1), flush=True)
    path.write_text(json.dumps(table) + "\n")
    draw(table, results / "figure.png")


if __name__ == "__main__":
    tyro.cli(main)
