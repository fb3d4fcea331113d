"""The conditions of all experiments on both games, at four scales: trained, resumed, or read.

    python experiments/conditions.py --scale small

trains every condition of the paper. The items (``fig1.py``, ``table4.py``, ...) train what they need by themselves and share
these runs. At ``small`` and ``full``, everything that is paid for is paid the same share of income, so that conditions differ in
what is paid for and not in how much; at ``paper``, influence weights and curricula are the paper's, and the learner is the
profile ``large``.
"""

import dataclasses
import pathlib
from typing import Any, Literal, TypeVar

import numpy as np
import tyro

import influence_jax
from influence_jax.envs.grid import maps

ROOT = pathlib.Path(__file__).parents[1]
RUNS = ROOT / "runs"
Game = Literal["cleanup", "harvest"]
Scale = Literal["smoke", "small", "full", "paper"]
ON_FULL_MAPS = ("full", "paper")
GAMES: tuple[Game, ...] = ("cleanup", "harvest")
Trained = TypeVar("Trained", influence_jax.Run, influence_jax.Sweep)

MAPS = {"cleanup": maps.SMALL_CLEANUP, "harvest": maps.SMALL_HARVEST}
# The original regrowth is slow for 100 steps: three scripted players who spare would return 26 instead of 43 (schelling.py).
OWN = {"cleanup": {}, "harvest": {"env.params.regrowth": (0, 0.01, 0.05, 0.1)}}
SMOKE = {"conv_channels": 2, "hidden_size": 8, "core_size": 8, "num_envs": 2, "rollout_length": 110}


@dataclasses.dataclass(frozen=True)
class Condition:
    """What distinguishes a condition from unpaid agents."""

    settings: dict[str, Any] = dataclasses.field(default_factory=dict)  # at all scales but "paper"
    preset: str | None = None  # at the scale "paper", without the game's name; None if it has none


def influence(model: str, share: float = 1.0, control: str = "none") -> dict[str, Any]:
    """Return the settings of agents who are paid a share of their income for influence, or for its control."""
    paid = {"influence.model": model, "influence.pay": "income_share", "income_share": share}
    return paid | {"influence.control": control}


REAL = influence("intervention")
IDLING = ("stay", "turn_clockwise", "turn_counterclockwise")
HIDDEN = {"env.beams_visible": False}
CONDITIONS = {
    "unpaid": Condition({}, "a3c"),
    "visible actions": Condition(influence("basic", 0.0), "visible-actions"),
    "basic": Condition(influence("basic"), "basic"),
    "basic, shuffled": Condition(influence("basic", control="shuffled"), "basic"),
    "communication, unpaid": Condition(influence("communication", 0.0), "communication-baseline"),
    "communication": Condition(influence("communication"), "communication"),
    "communication, shuffled": Condition(influence("communication", control="shuffled"), "communication"),
    "modelled, unpaid": Condition(influence("moa", 0.0), "moa-baseline"),
    "modelled": Condition(influence("moa"), "moa"),
    "modelled, shuffled": Condition(influence("moa", control="shuffled"), "moa"),
    "modelled, noise": Condition(influence("moa", control="noise")),
    "modelled, entropy": Condition(influence("moa", control="entropy")),
    "modelled, idling": Condition(influence("moa", control="act_bonus") | {"influence.bonus_actions": IDLING}),
    "prosocial": Condition({"learner.shaper": "prosocial"}, "prosocial"),
    "inequity averse": Condition({"learner.shaper": "inequity_averse"}, "inequity-aversion"),
    "real": Condition(REAL),
    "shuffled": Condition(influence("intervention", control="shuffled")),
    "beam bonus": Condition(influence("intervention", control="act_bonus")),
    "unpaid, beams hidden": Condition(HIDDEN),
    "real, beams hidden": Condition(REAL | HIDDEN),
}
OF_THE_PAPER = tuple(name for name, condition in CONDITIONS.items() if condition.preset)


@dataclasses.dataclass(frozen=True)
class Size:
    """How much a scale trains."""

    seeds: int  # of a block, which one program trains
    total_steps: int
    log_points: int
    trials: int  # of the random search for each condition


SIZES = {
    "smoke": Size(seeds=2, total_steps=440, log_points=2, trials=2),
    "small": Size(seeds=8, total_steps=512_000, log_points=20, trials=20),
    "full": Size(seeds=3, total_steps=1_000_000, log_points=50, trials=20),
    "paper": Size(seeds=5, total_steps=300_000_000, log_points=1000, trials=50),
}
PROFILE = "large"  # of the scale "paper"


def configured(condition: str, game: Game, scale: Scale) -> influence_jax.ExperimentConfig:
    """Return the configuration of a condition for its first block of seeds."""
    size, found = SIZES[scale], CONDITIONS[condition]
    if scale == "paper":
        if found.preset is None:
            raise SystemExit(
                f"condition is {condition!r}, which the paper does not have; allowed: {', '.join(OF_THE_PAPER)}."
            )
        config = influence_jax.presets.get(f"{game}-{found.preset}", profile=PROFILE)
        config = config.override(**{"influence.control": found.settings.get("influence.control", "none")})
    else:
        config = influence_jax.presets.get(f"{game}-a3c", profile="small").override(**found.settings)
        if config.influence.model == "communication":  # the same for both heads, as in the presets
            config = config.override(message_entropy_coef=config.hyperparams.entropy_coef)
        if scale != "full":
            small = influence_jax.presets.SMALL_GAME | {"env.layout": MAPS[game]} | OWN[game]
            config = config.override(**small | (SMOKE if scale == "smoke" else {}))
    updates = size.total_steps // config.steps_per_update
    return config.override(
        seeds=size.seeds, total_steps=size.total_steps, log_interval=max(1, updates // size.log_points)
    )


def place(game: Game, scale: Scale, out: pathlib.Path) -> pathlib.Path:
    """Return the directory of all runs of a game at a scale."""
    return out / f"{'full' if scale in ON_FULL_MAPS else 'tiny'}_{game}" / scale


def slug(condition: str) -> str:
    """Return the name of a condition's directory."""
    return condition.replace(", ", "-").replace(" ", "-")


def trained(condition: str, game: Game, scale: Scale, where: pathlib.Path, blocks: int = 1) -> list[influence_jax.Run]:
    """Train all blocks of seeds of a condition below a directory, go on with them, or read them."""
    config, size, runs = configured(condition, game, scale), SIZES[scale], []
    for block in range(blocks):
        path, seeds = where / slug(condition) / f"block-{block}", config.override(seed=block * size.seeds)
        with influence_jax.Progress() as progress:
            runs.append(finished(influence_jax.train(seeds, out=path, resume=True, callback=progress)))
    return runs


def finished(found: Trained) -> Trained:
    """Return a run or a sweep, or end the program with the status of `influence-jax train` if it was stopped."""
    if not found.finished:
        raise SystemExit(75)
    return found


def joined(runs: list[influence_jax.Run]) -> dict[str, np.ndarray]:
    """Return the metrics of all members of runs side by side, ``[U,S]`` and ``[U,S,N]``."""
    metrics = [run.metrics for run in runs]
    return {name: np.concatenate([x[name] for x in metrics], axis=1) for name in metrics[0] if name in metrics[-1]}


def late(metrics: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return each seed's mean over the last fifth of its run, ``f64[S]`` or ``f64[S,N]``."""
    return np.nanmean(metrics[name][-max(1, len(metrics[name]) // 5) :], axis=0, dtype=float)


def main(
    names: tuple[str, ...] = OF_THE_PAPER,
    games: tuple[Game, ...] = GAMES,
    scale: Scale = "small",
    blocks: int = 1,
    shard: tuple[int, int] = (0, 1),
    out: pathlib.Path = RUNS,
) -> None:
    """Train conditions and leave their runs to the items.

    Args:
        names: the conditions.
        games: the games.
        scale: "smoke" trains two updates, only to check that it runs; "small" eight seeds of 512,000 steps with three agents on
            small maps; "full" three seeds of a million steps with five agents on the paper's maps; "paper" five seeds of 300
            million steps there.
        blocks: how many blocks of the scale's seeds to train.
        shard: (i, n) trains the i-th of n parts, from 0.
        out: directory of the runs; an unfinished one is resumed, a finished one is read.
    """
    part, parts = shard
    for condition, game in [(name, game) for name in names for game in games][part::parts]:
        runs = trained(condition, game, scale, place(game, scale, out), blocks)
        print(game, condition, *runs, sep="\n  ", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
