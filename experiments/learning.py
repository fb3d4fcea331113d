"""Do agents learn what they should within a few million steps on two cores? Each run against its own untrained agents."""

import dataclasses
import json
import pathlib

import numpy as np
import tyro

import influence_jax
from influence_jax.runtime.population import init_population

HERE = pathlib.Path(__file__).parent
EPISODES = 20
SHOWN = (
    "env_steps",
    "collective_return",
    "apples",
    "fires",
    "cleans",
    "equality",
    "entropy",
    "influence",
    "moa_cross_entropy",
    "moa_marginal_cross_entropy",
    "moa_repeat_cross_entropy",
)


def runs() -> dict[str, influence_jax.ExperimentConfig]:
    """Return each run's configuration."""

    def preset(name: str, total_steps: float, **env):
        config = influence_jax.presets.get(name, profile="small")
        return dataclasses.replace(config, env=dataclasses.replace(config.env, **env), total_steps=int(total_steps))

    return {
        "harvest-one-agent": preset("harvest-a3c", 1e6, num_agents=1),
        "harvest-moa": preset("harvest-moa", 2e6),
        "cleanup-moa": preset("cleanup-moa", 1e6),
    }


def main(names: tuple[str, ...] = tuple(runs()), out: pathlib.Path = HERE.parent / "runs" / "learning") -> None:
    """Train what is not yet trained, and write curves and a summary to experiments/results/learning.

    Args:
        names: which runs.
        out: directory of the runs; an unfinished one is resumed.
    """
    results = HERE / "results" / "learning"
    results.mkdir(parents=True, exist_ok=True)
    for name in names:
        with influence_jax.Progress() as progress:
            run = influence_jax.train(runs()[name], out=out / name, resume=(out / name).exists(), callback=progress)
        before, after = (
            influence_jax.evaluate(run.learner, state, EPISODES) for state in (init_population(run.learner), run.state)
        )
        influence_jax.plot_learning_curves(run, title=name).savefig(results / f"{name}.png", dpi=100)
        shown = {column: run.metrics[column][:, 0] for column in SHOWN if column in run.metrics}
        summary = {
            "untrained_return": _mean_and_error(before.collective_return[0]),
            "trained_return": _mean_and_error(after.collective_return[0]),
            "curve": {
                column: [float(f"{x:.5g}") if np.isfinite(x) else None for x in v] for column, v in shown.items()
            },
        }
        (results / f"{name}.json").write_text(json.dumps(summary) + "\n")
        print(name, summary["untrained_return"], "->", summary["trained_return"])


def _mean_and_error(returns: np.ndarray) -> list[float]:
    return [round(float(returns.mean()), 1), round(float(returns.std(ddof=1) / np.sqrt(len(returns))), 1)]


if __name__ == "__main__":
    tyro.cli(main)
