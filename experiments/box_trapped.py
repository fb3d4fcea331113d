"""Does influence make an agent open another's cell, at a price and for no reward of its own? (Supplement, section 10.3.)"""

import dataclasses
import pathlib

import tyro

import influence_jax
from influence_jax.config import (
    EnvConfig,
    ExperimentConfig,
    Hyperparams,
    InfluenceConfig,
    LearnerConfig,
    NetworkConfig,
)

HERE = pathlib.Path(__file__).parent
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
SEEDS = 5
TOTAL_STEPS = 2_400_000

# The same for every condition. Entropy falls from .42 to .02: while both agents still try everything, the box is opened now and
# then, and the trapped agent finds out that it may leave. Without that nobody listens, and there is nothing to influence.
CONFIG = ExperimentConfig(
    env=EnvConfig(name="box-trapped", view_radius=5),
    network=NetworkConfig(lstm_size=32),
    learner=LearnerConfig(num_envs=16, rollout_length=20, optimizer="adam"),
    hyperparams=Hyperparams(
        learning_rate=3e-3,
        learning_rate_end=1e-4,
        discount=0.9,
        gae_lambda=0.95,
        entropy_coef=0.02,
        exploration=0.4,
        exploration_fraction=1.0,
        value_coef=0.25,
        max_grad_norm=1.0,
    ),
    total_steps=TOTAL_STEPS,
    seeds=SEEDS,
    log_interval=150,
)


def conditions() -> dict[str, ExperimentConfig]:
    """Return each condition's configuration: A3C, visible actions, and influence at every weight."""
    basic = dataclasses.replace(CONFIG, influence=InfluenceConfig(model="basic"))

    def weighted(weight: float) -> ExperimentConfig:
        return dataclasses.replace(basic, hyperparams=basic.hyperparams.replace(influence_weight=weight))

    return {"a3c": CONFIG, "visible-actions": basic} | {f"influence-{w:g}": weighted(w) for w in WEIGHTS}


def main(out: pathlib.Path = HERE.parent / "runs" / "box_trapped") -> None:
    """Train every condition and write tables, figures and films to experiments/results/box_trapped.

    Args:
        out: directory of the runs; an unfinished one is resumed.
    """
    runs = {}
    for name, config in conditions().items():
        with influence_jax.Progress() as progress:
            runs[name] = influence_jax.train(config, out=out / name, resume=(out / name).exists(), callback=progress)


if __name__ == "__main__":
    tyro.cli(main)
