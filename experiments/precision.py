"""Do agents learn equally well with bfloat16 matrix products? A single agent on Harvest, five seeds each."""

import dataclasses
import json
import pathlib

import numpy as np
import tyro

import influence_jax

HERE = pathlib.Path(__file__).parent
EPISODES = 20


def main(out: pathlib.Path = HERE.parent / "runs" / "precision") -> None:
    """Train both, and write experiments/results/precision.json.

    Args:
        out: directory of the runs; an unfinished one is resumed.
    """
    config = influence_jax.presets.get("harvest-a3c", profile="small")
    config = dataclasses.replace(
        config, env=dataclasses.replace(config.env, num_agents=1), total_steps=1_000_000, seeds=5, log_interval=100
    )
    table = {}
    for precision in ("float32", "bfloat16"):
        condition = dataclasses.replace(config, network=dataclasses.replace(config.network, precision=precision))
        path = out / precision
        with influence_jax.Progress() as progress:
            run = influence_jax.train(condition, out=path, resume=path.exists(), callback=progress)
        evaluation = influence_jax.evaluate(run.learner, run.state, EPISODES)
        curve = run.metrics["collective_return"]  # [U,S]
        table[precision] = {
            "returns": np.round(evaluation.collective_return.mean(axis=1, dtype=float), 1).tolist(),
            "env_steps": run.metrics["env_steps"][:, 0].astype(int).tolist(),
            "curve": [None if np.isnan(x) else round(float(x), 1) for x in curve.mean(axis=1)],
        }
        print(precision, table[precision]["returns"])
    (HERE / "results" / "precision.json").write_text(json.dumps(table) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
