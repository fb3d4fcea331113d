"""In how few programs the trials of a sweep can be run."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime import population
from influence_jax.settings import Integers, checked
from influence_jax.sweeps.space import Space, is_traced, with_settings


@dataclasses.dataclass(frozen=True)
class Program:
    """Trials that differ in traced settings alone, which are one program; each with all seeds."""

    learner: Learner
    settings: dict[str, Any]  # the static settings that are its own
    hyperparams: dict[str, np.ndarray]  # of each member [S], as `influence_jax.train` takes them
    trials: list[int]  # of each member


def make_plan(config: ExperimentConfig, space: Space, shard: Sequence[int] | None = None) -> list[Program]:
    """Group the trials by their static settings, in the order in which these first come.

    Members that share a seed are given the same seed in every trial, so that trials are compared under the same chance.

    Args:
        config: what all trials have in common.
        space: what they differ in.
        shard: ``(i, n)`` for the i-th of n parts of the trials, from 0, which differ in size by one trial at most. A part is a
            stretch of the trials program after program, so that it has few programs; trials keep their numbers.

    Raises:
        ConfigError: a trial cannot be run, of this part or another one, or there is no such part.
    """
    groups: dict[str, list[int]] = {}
    for trial, values in enumerate(space.settings()):
        groups.setdefault(repr(_static(values)), []).append(trial)
    parts = list(groups.values())
    programs = make_programs(config, space, parts)
    if shard is None:
        return programs
    in_order = [trial for trials in parts for trial in trials]
    index, count = checked_shard(shard, len(in_order))
    kept = set(in_order[index * len(in_order) // count : (index + 1) * len(in_order) // count])
    parts = [[trial for trial in trials if trial in kept] for trials in parts]
    return make_programs(config, space, [trials for trials in parts if trials])


def make_programs(config: ExperimentConfig, space: Space, parts: Sequence[Sequence[int]]) -> list[Program]:
    """Return the program of each part, a list of trials with the same static settings."""
    settings = space.settings()
    return [_program(config, settings, trials) for trials in parts]


def checked_shard(shard: Sequence[int], trials: int) -> tuple[int, int]:
    """Return ``(i, n)`` as Python's integers.

    Raises:
        ConfigError: it is no part of so many trials.
    """
    try:
        index, count = shard
        count = checked("n", count, Integers(1))
        index = checked("i", index, Integers(0, count - 1))
    except (TypeError, ValueError):
        raise ConfigError(f"shard is {shard!r}; allowed: (i, n), whole numbers with 0 <= i < n.") from None
    if count > trials:
        raise ConfigError(
            f"shard is {index} of {count} where there are {trials} trials; allowed are {trials} shards at most."
        )
    return index, count


def _static(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not is_traced(name)}


def _program(config: ExperimentConfig, settings: list[dict[str, Any]], trials: Sequence[int]) -> Program:
    seeds = config.seed + np.arange(config.seeds)
    static = _static(settings[trials[0]])
    traced = [{name: x for name, x in settings[t].items() if is_traced(name)} for t in trials]
    columns = {name: np.repeat(np.array([t[name] for t in traced]), len(seeds), axis=0) for name in traced[0]}
    columns["seed"] = np.tile(seeds, len(trials))
    try:
        learner = make_learner(dataclasses.replace(with_settings(config, static), seeds=len(columns["seed"])))
        learner = population.with_members(learner, columns)
    except ConfigError as error:
        said = ", ".join(f"{name} {value!r}" for name, value in static.items())
        raise ConfigError(f"{error} (in the trials with {said})" if said else str(error)) from error.__cause__
    return Program(learner, static, columns, np.repeat(trials, len(seeds)).tolist())
