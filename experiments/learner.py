"""Which algorithm, with which critic, at which learning rate? The same search for each of them, on problems that take minutes."""

import dataclasses
import json
import pathlib
from typing import Literal

import numpy as np
import scipy.stats
import tyro
from matplotlib.figure import Figure
from small_cleanup import MAP

import influence_jax
from influence_jax.config import EnvConfig, ExperimentConfig, NetworkConfig
from influence_jax.presets import PROFILES

HERE = pathlib.Path(__file__).parent
HARVEST = (
    "@@@@@@@@@@@@@",
    "@P A     A P@",
    "@ AAA   AAA @",
    "@  A     A  @",
    "@     A     @",
    "@    AAA    @",
    "@P    A    P@",
    "@@@@@@@@@@@@@",
)
CRITICS = {
    "shared": {},
    "detached": {"critic": "detached"},
    "separate": {"critic": "separate"},
    "popart": {"reward_scaling": "popart"},  # on the shared core
}
ALGORITHMS = ("a2c", "ppo")
LEARNING_RATES = (3e-4, 1e-3, 3e-3)
SEEDS = 5


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is learned, for how long, and which number says how well."""

    config: ExperimentConfig
    total_steps: int
    score: str = "collective_return"
    learning_rates: tuple[float, ...] = LEARNING_RATES


def problems() -> dict[str, Problem]:
    """Return every problem, with the profile `small`'s way of learning but for the critic."""

    def make(preset: str, env: EnvConfig, shaper: str = "individual", **hyperparams) -> ExperimentConfig:
        config = influence_jax.presets.get(preset, profile="small")
        return dataclasses.replace(
            config,
            env=env,
            network=NetworkConfig(lstm_size=32),
            learner=dataclasses.replace(config.learner, shaper=shaper),
            hyperparams=config.hyperparams.replace(**hyperparams),
        )

    def probe(name: str) -> ExperimentConfig:
        return make("harvest-a3c", EnvConfig(f"influence_jax.envs.probes:{name}", num_agents=2))

    def cleanup(shaper: str) -> ExperimentConfig:
        env = EnvConfig("cleanup-mp", num_agents=2, layout=MAP, horizon=100, view_radius=5)
        return make("cleanup-a3c", env, shaper, entropy_coef=0.01)

    harvest = make("harvest-a3c", EnvConfig("harvest", num_agents=2, layout=HARVEST, horizon=200, view_radius=5))
    box = influence_jax.presets.get("box-trapped")
    paid = influence_jax.presets.get("box-trapped-basic")
    return {
        "cue": Problem(probe("Cue"), 384_000),
        "recall": Problem(probe("Recall"), 384_000),
        "harvest": Problem(harvest, 300_000),
        "cleanup-selfish": Problem(cleanup("individual"), 600_000, learning_rates=(1e-3,)),
        "cleanup-prosocial": Problem(cleanup("prosocial"), 600_000, learning_rates=(1e-3,)),
        "box-trapped": Problem(box, 1_200_000, "opens", (3e-3,)),
        "box-trapped-influence": Problem(paid, 1_200_000, "opens", (3e-3,)),
    }


def configured(problem: Problem, algorithm: str, critic: str) -> ExperimentConfig:
    """Return the problem's configuration with one algorithm and one critic."""
    config, changes = problem.config, dict(CRITICS[critic])
    network = dataclasses.replace(config.network, critic=changes.pop("critic", "shared"))
    learner, hyperparams = dataclasses.replace(config.learner, **changes), config.hyperparams
    if algorithm == "ppo":
        profile = PROFILES["ppo"]
        kept = {"shaper": learner.shaper, "reward_scaling": changes.get("reward_scaling", "running_std")}
        learner = dataclasses.replace(profile.learner, num_envs=32, rollout_length=80, ppo_minibatches=4, **kept)
        hyperparams = hyperparams.replace(**profile.hyperparams)
        hyperparams = hyperparams.replace(entropy_coef=profile.entropy_scale * hyperparams.entropy_coef)
    updates = problem.total_steps // (learner.num_envs * learner.rollout_length)
    return dataclasses.replace(
        config,
        network=network,
        learner=learner,
        hyperparams=hyperparams,
        total_steps=problem.total_steps,
        log_interval=max(1, updates // 50),
        checkpoint_interval=10,
        keep=1,
    )


def cells() -> list[tuple[str, str]]:
    """Return the pairs of algorithm and critic: all, but for PopArt under PPO, whose advantages have deviation 1 anyway."""
    return [(a, c) for a in ALGORITHMS for c in CRITICS if (a, c) != ("ppo", "popart")]


def scores(metrics: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the mean over the run and over its last tenth, f64[S]."""
    values = metrics[name]
    return {
        "mean": np.nanmean(values, axis=0),
        "last_tenth": np.nanmean(values[-max(1, len(values) // 10) :], axis=0),
        "worst_agent": np.nanmean(metrics["agent_returns"][-max(1, len(values) // 10) :], axis=0).min(axis=-1),
    }


def interval(values: np.ndarray) -> list[float]:
    """Return Student's 95 % interval of a mean over seeds."""
    mean, error = values.mean(), scipy.stats.sem(values)
    if not error > 0:
        return [float(mean), float(mean)]
    return [float(x) for x in scipy.stats.t.interval(0.95, len(values) - 1, mean, error)]


def summarise(score: dict[str, np.ndarray], rates: tuple[float, ...]) -> dict:
    """Describe one cell: every seed at every rate, and the best rate by the last tenth with its intervals."""
    by_rate = {name: values.reshape(len(rates), -1) for name, values in score.items()}
    best = int(np.argmax(by_rate["last_tenth"].mean(axis=1)))
    return {
        "learning_rates": list(rates),
        "best_learning_rate": rates[best],
        "intervals": {name: [round(x, 3) for x in interval(values[best])] for name, values in by_rate.items()},
        "seeds": {name: np.round(values, 3).tolist() for name, values in by_rate.items()},
    }


def draw(table: dict, path: pathlib.Path) -> None:
    """Draw the last tenth of every seed, one panel for each problem; a bar is the interval of the best rate."""
    figure = Figure(figsize=(4 * len(table), 3.6), layout="constrained")
    panels = figure.subplots(1, len(table), squeeze=False)[0]
    for axes, (problem, rows) in zip(panels, table.items(), strict=True):
        for place, row in enumerate(rows.values()):
            for rate, seeds in zip(row["learning_rates"], row["seeds"]["last_tenth"], strict=True):
                which = LEARNING_RATES.index(rate)
                axes.plot(
                    [place + 0.2 * (which - 1)] * len(seeds), seeds, "o", markersize=3, color=f"C{which}", alpha=0.6
                )
            axes.plot([place] * 2, row["intervals"]["last_tenth"], color="black")
        axes.set_xticks(range(len(rows)), rows, rotation=60, ha="right")
        axes.set(title=problem, ylabel="last tenth of the run")
    for which, rate in enumerate(LEARNING_RATES):
        panels[0].plot([], [], "o", color=f"C{which}", label=f"learning rate {rate:g}")
    panels[0].legend(fontsize="small")
    figure.savefig(path, dpi=100)


def main(
    scale: Literal["smoke", "small"] = "small",
    names: tuple[str, ...] = tuple(problems()),
    algorithms: tuple[str, ...] = ALGORITHMS,
    out: pathlib.Path = HERE.parent / "runs" / "learner",
    results: pathlib.Path = HERE / "results" / "learner",
) -> None:
    """Train every cell and write a table and a figure to experiments/results/learner.

    Args:
        scale: "smoke" runs everything once, for two log points, which says nothing.
        names: which problems.
        algorithms: of them, which.
        out: directory of the runs; an unfinished one is resumed, a finished one is read.
        results: directory of the table and the figure; what it has of other problems is kept.
    """
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{scale}.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        problem, rows = problems()[name], table.setdefault(name, {})
        rates, seeds = problem.learning_rates, SEEDS
        if scale == "smoke":
            rates, seeds = rates[:1], 2
        for algorithm, critic in cells():
            if algorithm not in algorithms:
                continue
            config = configured(problem, algorithm, critic)
            if scale == "smoke":
                config = dataclasses.replace(config, total_steps=2 * config.steps_per_update, log_interval=1)
            members = influence_jax.grid(seeds=seeds, learning_rate=rates)
            where = out / scale / name / f"{algorithm}-{critic}"
            with influence_jax.Progress() as progress:
                run = influence_jax.train(
                    config, hyperparams=members, out=where, resume=where.exists(), callback=progress
                )
            row = summarise(scores(run.metrics, problem.score), rates)
            rows[f"{algorithm}-{critic}"] = row
            print(name, algorithm, critic, row["best_learning_rate"], row["intervals"], flush=True)
    order = [f"{algorithm}-{critic}" for algorithm, critic in cells()]
    table = {
        name: {row: table[name][row] for row in order if row in table[name]} for name in problems() if name in table
    }
    path.write_text(json.dumps(table) + "\n")
    draw(table, results / f"{scale}.png")


if __name__ == "__main__":
    tyro.cli(main)
