"""What makes agents see? The profile `small` on the probe Fines, and an ablation of each of its parts."""

import dataclasses
import functools
import json
import pathlib
from typing import Any, Literal

import jax
import numpy as np
import optax
import tyro

import influence_jax
from influence_jax.config import EnvConfig, ExperimentConfig
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.learner.optimizer import scale_by_adam, scale_head_bias_updates

HERE = pathlib.Path(__file__).parent
# Two agents that hit each other as often as five would.
PROBE = EnvConfig("influence_jax.envs.probes:Fines", num_agents=2, params={"hit_rate": 0.9})


def changed(config: ExperimentConfig, **parts: dict[str, Any]) -> ExperimentConfig:
    """Return the configuration with some settings of its parts changed."""
    return dataclasses.replace(
        config, **{name: dataclasses.replace(getattr(config, name), **settings) for name, settings in parts.items()}
    )


def adam(epsilon: float = 1e-8, factor: float = 20.0) -> optax.GradientTransformation:
    """Return Adam with another epsilon, or with another factor for the biases of heads."""
    return optax.chain(scale_by_adam(b1=0.9, b2=0.999, eps=epsilon), scale_head_bias_updates(factor))


@dataclasses.dataclass(frozen=True)
class FaintStart:
    """A network with the initialisation we once had: a core scaled by all its gates, and layers that halve their input."""

    network: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def init(self, key: jax.Array, observation_shape: tuple[int, ...]) -> Any:
        """Initialise parameters and rescale kernels: Glorot's variance in the core, 1 / fan-in elsewhere."""

        def rescale(path, x):
            name, module = path[-1].key, path[-2].key
            if module == "core" and name.endswith("kernel"):
                return x * np.float32(np.sqrt(2 * x.shape[0] / sum(x.shape)))
            return x * np.float32(np.sqrt(0.5)) if name == "kernel" and "head" not in module else x

        return jax.tree_util.tree_map_with_path(rescale, self.network.init(key, observation_shape))


def variants() -> dict[str, Learner]:
    """Return the learner of the profile, and learners that each lack one of its parts."""
    config = dataclasses.replace(influence_jax.presets.get("harvest-a3c", profile="small"), env=PROBE)
    learner, change = make_learner(config), functools.partial(changed, config)
    a2c = influence_jax.presets.get("harvest-a3c").hyperparams.entropy_coef
    return {
        "the profile `small`": learner,
        "one step a rollout (A2C)": make_learner(
            dataclasses.replace(
                config,
                learner=dataclasses.replace(
                    influence_jax.presets.get("harvest-a3c").learner,
                    optimizer="adam",
                    reward_scaling="running_std",
                ),
                hyperparams=config.hyperparams.replace(entropy_coef=a2c, gae_lambda=0.97),
            )
        ),
        "fines in full from the start": make_learner(change(hyperparams={"fine_softening": 0.0})),
        "no layer norm on features": make_learner(change(network={"normalise_features": False})),
        "critic on the policy's core": make_learner(change(network={"critic": "shared"})),
        "head biases move like all weights": dataclasses.replace(learner, optimizer=adam(factor=1.0)),
        "Adam's epsilon 1e-5": dataclasses.replace(learner, optimizer=adam(epsilon=1e-5)),
        "a faint start (Glorot over all gates)": dataclasses.replace(learner, network=FaintStart(learner.network)),
        "four epochs of four minibatches": make_learner(change(learner={"ppo_epochs": 4, "ppo_minibatches": 4})),
    }


def measured(learner: Learner, seeds: int, total_steps: int, out: pathlib.Path) -> dict[str, Any]:
    """Train and return every agent's scores by seed over the last two log points."""
    run = influence_jax.train(learner, seeds=seeds, total_steps=total_steps, out=out, resume=out.exists())
    late = {name: values[-2:].mean(axis=0) for name, values in run.metrics.items()}  # [S] or [S,N]
    scores = {
        "answered": late["agent_answers"] / late["agent_cues"],
        "recalled": late["agent_recalls"] / late["agent_queries"],
        "sight": late["agent_sight"],
        "saturated": late["agent_saturated_policy"],
    }
    return {name: np.round(x, 3).tolist() for name, x in scores.items()}


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the results as Markdown: means over seeds and agents, and the worst agent."""
    lines = [
        "| | cues answered | worst agent | queries answered | sight (nats) | saturated |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        cells = [f"{np.mean(row[column]):.2f}" for column in ("answered", "recalled", "sight", "saturated")]
        cells.insert(1, f"{np.min(row['answered']):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(
    scale: Literal["smoke", "small"] = "small",
    out: pathlib.Path = HERE.parent / "runs" / "sight",
    results: pathlib.Path | None = None,
) -> None:
    """Train every variant and write the results.

    Args:
        scale: "smoke" trains two updates of each, only to check that it runs.
        out: directory of the runs; an unfinished one is resumed, a finished one is read.
        results: JSON file with every seed and agent; by default in this repository, or next to the runs for "smoke".
    """
    results = results or (HERE / "results" if scale == "small" else out / scale) / "sight.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    rows = {}
    for index, (name, learner) in enumerate(variants().items()):
        steps = 2 * learner.config.steps_per_update if scale == "smoke" else 200_000
        rows[name] = measured(learner, 3 if scale == "small" else 1, steps, out / scale / str(index))
        results.write_text(json.dumps(rows, indent=1) + "\n")
        print(name, rows[name], flush=True)
    print(table(rows))


if __name__ == "__main__":
    tyro.cli(main)
