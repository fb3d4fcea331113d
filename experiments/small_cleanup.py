"""Do agents that care for each other clean more and share less equally? Selfish and prosocial agents on a small Cleanup."""

import dataclasses
import json
import pathlib

import numpy as np
import tyro

import influence_jax
from influence_jax.config import EnvConfig

HERE = pathlib.Path(__file__).parent
EPISODES = 100
MAP = (
    "@@@@@@@@@@@@@",
    "@RRHRR  BBBB@",
    "@RRRRR  BBBB@",
    "@RRHRR PBBBB@",
    "@RRRRR  BBBB@",
    "@RRHRR PBBBB@",
    "@RRRRR  BBBB@",
    "@RRHRR  BBBB@",
    "@RRRRR  BBBB@",
    "@@@@@@@@@@@@@",
)


def conditions() -> dict[str, influence_jax.ExperimentConfig]:
    """Return the two configurations, which differ only in the reward."""
    config = influence_jax.presets.get("cleanup-a3c", profile="small")
    selfish = dataclasses.replace(
        config,
        env=EnvConfig(name="cleanup-mp", num_agents=2, layout=MAP, horizon=100, view_radius=5),
        network=dataclasses.replace(config.network, core_size=32),
        learner=dataclasses.replace(config.learner, num_envs=16),
        hyperparams=config.hyperparams.replace(entropy_coef=0.01),
        total_steps=3_000_000,
        seeds=5,
        log_interval=100,
    )
    prosocial = dataclasses.replace(selfish, learner=dataclasses.replace(selfish.learner, shaper="prosocial"))
    return {"selfish": selfish, "prosocial": prosocial}


def main(out: pathlib.Path = HERE.parent / "runs" / "small_cleanup") -> None:
    """Train both conditions, five seeds each, and write experiments/results/small_cleanup.json.

    Args:
        out: directory of the runs; an unfinished one is resumed.
    """
    table = {}
    for name, config in conditions().items():
        with influence_jax.Progress() as progress:
            run = influence_jax.train(config, out=out / name, resume=(out / name).exists(), callback=progress)
        evaluation = influence_jax.evaluate(run.learner, run.state, EPISODES)
        seeds = {"collective_return": evaluation.collective_return, "equality": evaluation.equality}
        seeds |= {fact: evaluation.metrics[fact].sum(axis=-1) for fact in ("apples", "cleans", "fires")}
        table[name] = {
            column: np.round(values.mean(axis=1, dtype=float), 3).tolist() for column, values in seeds.items()
        }
        print(name, table[name])
    (HERE / "results" / "small_cleanup.json").write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
