"""Does a model of others know the influence that its agent really has?

The agents are those of the condition "modelled" (``conditions.py``), which are paid for the influence that their models estimate.
Their policies are frozen, their models are trained on, and every pair of agents in every step of some episodes is compared with
the real influence, which the game itself tells. A model knows nothing if an untrained one, its own estimates half an episode
later, or the distance between two agents says as much.
"""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
import optax
import tyro
from conditions import RUNS, Game, Scale, place, trained
from items import results_of, write
from matplotlib.figure import Figure
from scipy import stats

import influence_jax
from influence_jax import analysis
from influence_jax.analysis.style import new_axes, styled
from influence_jax.learner.optimizer import adam

STRONGEST = 0.01  # of all pairs
MODELS = ("untrained", "as trained", "trained on")
# Far larger rollouts than agents learn from, each used once: with the agents' own, used four times, models forgot what they knew.
TRAINED_ON = {"num_envs": 128, "rollout_length": 32, "ppo_epochs": 1, "ppo_minibatches": 16, "log_interval": 4}
TRAINED_ON |= {"learning_rate": 1e-3, "learning_rate_end": 1e-5, "fine_softening": 0.0}
LENGTHS = {
    "smoke": (1, 2),
    "small": (10, 20),
    "full": (1, 100),
    "paper": (1, 100),
}  # episodes of each member; log points for which models are trained on


def models(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of agents' models of others."""
    return {name: x for name, x in params.items() if name.startswith("moa")}


def with_models(run: influence_jax.Run, params: dict[str, Any]) -> influence_jax.Run:
    """Return the run with other models of others, leading S, and the same policies."""
    return dataclasses.replace(run, state=dataclasses.replace(run.state, params=run.state.params | models(params)))


def initialised(learner: influence_jax.Learner, run: influence_jax.Run) -> Any:
    """Return the first state of all members."""
    seeds = np.array([member["seed"] for member in run.members])
    return jax.jit(jax.vmap(lambda seed: influence_jax.init(learner, jax.random.key(seed))))(seeds)


def trained_on(run: influence_jax.Run, log_points: int) -> tuple[influence_jax.Run, np.ndarray]:
    """Train the models of others on, policies frozen; return the run with them and the share of the knowable ``f32[L,S,N]``."""

    def of_the_policy(params: dict[str, Any]) -> dict[str, Any]:
        kept = models(params)
        return {name: jax.tree.map(lambda _, name=name: name not in kept, x) for name, x in params.items()}

    optimizer = optax.chain(adam(), optax.masked(optax.set_to_zero(), of_the_policy))
    config = run.config.override(**TRAINED_ON)
    config = config.override(total_steps=log_points * config.log_interval * config.steps_per_update)
    learner = dataclasses.replace(influence_jax.make_learner(config), optimizer=optimizer)
    state = dataclasses.replace(initialised(learner, run), params=run.state.params)
    step, shares = jax.jit(jax.vmap(lambda state: influence_jax.train_step(learner, state))), []
    for _ in range(log_points):
        state, metrics = step(state)
        shares.append(metrics["agent_share_of_knowable"])
    return with_models(run, state.params), np.array(shares)


def pairs_in_view(run: influence_jax.Run, member: int, episodes: int) -> dict[str, np.ndarray]:
    """Return estimated and real influence, distance and the influencer's action of every pair in view of a member's episodes."""
    columns: dict[str, list[np.ndarray]] = {}
    for seed in range(episodes):
        trace = run.trace(member, seed, real=True)
        position = trace.states.position[:-1].astype(int)
        apart = np.abs(position[:, :, None] - position[:, None]).max(axis=-1)
        seen = trace.visible & ~np.eye(len(position[0]), dtype=bool)
        seen[-1] = False  # nobody acts after the last step
        values = {
            "estimated": trace.influence,
            "real": trace.known_influence,
            "another time": np.roll(trace.influence, len(trace) // 2, axis=0),
            "distance": -apart,
            "action": np.broadcast_to(trace.actions[:, :, None], apart.shape),
        }
        for name, x in values.items():
            columns.setdefault(name, []).append(x[seen])
    return {name: np.concatenate(x) for name, x in columns.items()}


def agreement(estimated: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Return how much of the real influence an estimate knows: correlation, rank, slope, and what its strongest pairs hold."""
    count = max(1, round(STRONGEST * len(real)))
    varies = np.std(estimated) > 0 and np.std(real) > 0
    order = np.random.default_rng(0).permutation(len(real))  # so that ties are not broken by the time of an episode
    return {
        "correlation": float(np.corrcoef(estimated, real)[0, 1]) if varies else float("nan"),
        "rank": float(stats.spearmanr(estimated, real).statistic) if varies else float("nan"),
        "slope": float(np.polyfit(estimated, real, 1)[0]) if varies else float("nan"),
        "held by its strongest": float(real[order[np.argsort(-estimated[order])[:count]]].sum() / real.sum()),
        "mean": float(estimated.mean()),
    }


def measured(run: influence_jax.Run, episodes: int) -> list[dict[str, dict[str, float]]]:
    """Return, for each member, how its models, and what should know nothing, agree with real influence."""
    rows = []
    for member in range(len(run.members)):
        pairs = pairs_in_view(run, member, episodes)
        names = ("estimated", "another time", "distance", "real")
        rows.append({name: agreement(pairs[name], pairs["real"]) for name in names})
    return rows


def origins(run: influence_jax.Run, episodes: int) -> dict[str, Any]:
    """Return where the real influence of all members comes from: its share by the influencer's action and by distance."""
    found = [pairs_in_view(run, member, episodes) for member in range(len(run.members))]
    real, action, apart = (np.concatenate([x[name] for x in found]) for name in ("real", "action", "distance"))
    strongest = real >= np.quantile(real, 1 - STRONGEST)

    def split(labels: np.ndarray, names: dict[int, str]) -> dict[str, dict[str, float]]:
        return {
            name: {
                "of all pairs": float((labels == label).mean()),
                "of the influence": float(real[labels == label].sum() / real.sum()),
                "of the strongest": float((labels == label)[strongest].mean()),
            }
            for label, name in names.items()
        }

    distances = {-int(x): f"{x} cells" for x in sorted(set(-apart))}
    return {
        "held by the strongest": float(real[strongest].sum() / real.sum()),
        "by action": split(action, dict(enumerate(run.learner.env.spec.action_names))),
        "by distance": split(apart, distances),
    }


@styled
def drawn(found: dict[str, Any]) -> Figure:
    """Draw every member's correlation, rank correlation and what the strongest pairs hold, for models and for nulls."""
    rows = {name: [row["estimated"] for row in found[name]] for name in MODELS}
    rows |= {name: [row[name] for row in found["trained on"]] for name in ("another time", "distance")}
    figure, panels = new_axes(None, 2, "")
    for axes, number in zip(panels, ("rank", "held by its strongest"), strict=True):
        for line, values in enumerate(rows.values()):
            seeds = np.array([row[number] for row in values])
            mean = analysis.t_interval(seeds)
            axes.plot(seeds, line + np.linspace(-0.2, 0.2, len(seeds)), "o", color="0.6", markersize=3)
            axes.errorbar(
                mean.value, line, xerr=[[mean.value - mean.low], [mean.high - mean.value]], fmt="k|", capsize=3
            )
        axes.set(yticks=range(len(rows)), yticklabels=list(rows), ylim=(len(rows) - 0.5, -0.5))
    panels[0].set_xlabel("rank correlation with real influence")
    panels[1].set_xlabel(f"share of real influence in its top {STRONGEST:.0%} of pairs")
    return figure


def main(scale: Scale = "small", game: Game = "cleanup", out: pathlib.Path = RUNS) -> None:
    """Train models of others on, and write how they agree with real influence, where that comes from, and a figure.

    Args:
        scale: as in conditions.py.
        game: the game.
        out: directory of the runs; the condition "modelled" is trained if it is not there.
    """
    episodes, log_points = LENGTHS[scale]
    path = results_of("model_of_others", scale, out) / f"{scale}_{game}.json"
    found: dict[str, Any] = {name: [] for name in ("share of the knowable", *MODELS, "origins")}
    for run in trained("modelled", game, scale, place(game, scale, out)):
        further, shares = trained_on(run, log_points)
        before = run.metrics["agent_share_of_knowable"][-1:]
        found["share of the knowable"] += np.concatenate([before, shares]).mean(axis=2).T.tolist()
        untrained = with_models(run, initialised(run.learner, run).params)
        for name, models_of in zip(MODELS, (untrained, run, further), strict=True):
            found[name] += measured(models_of, episodes)
        found["origins"].append(origins(run, episodes))
        write(path, found)
    drawn(found).savefig(path.with_suffix(".png"))


if __name__ == "__main__":
    tyro.cli(main)
