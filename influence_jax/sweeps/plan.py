"""In how few programs the trials of a sweep can be run."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime import population
from influence_jax.sweeps.space import Space, is_traced, with_settings


@dataclasses.dataclass(frozen=True)
class Program:
    """Trials that differ in traced settings alone, which are one program; each with all seeds."""

    learner: Learner
    settings: dict[str, Any]  # the static settings that are its own
    hyperparams: dict[str, np.ndarray]  # of each member [S], as `influence_jax.train` takes them
    trials: list[int]  # of each member


def make_plan(config: ExperimentConfig, space: Space) -> list[Program]:
    """Group the trials by their static settings, in the order in which these first come.

    Members that share a seed are given the same seed in every trial, so that trials are compared under the same chance.

    Raises:
        ConfigError: a trial cannot be run.
    """
    groups: dict[str, list[int]] = {}
    settings = space.settings()
    for trial, values in enumerate(settings):
        groups.setdefault(repr(_static(values)), []).append(trial)
    return [_program(config, settings, trials) for trials in groups.values()]


def _static(values: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in values.items() if not is_traced(path)}


def _program(config: ExperimentConfig, settings: list[dict[str, Any]], trials: list[int]) -> Program:
    seeds = config.seed + np.arange(config.seeds)
    static = _static(settings[trials[0]])
    traced = [{_member_name(path): x for path, x in settings[t].items() if is_traced(path)} for t in trials]
    columns = {name: np.repeat(np.array([t[name] for t in traced]), len(seeds), axis=0) for name in traced[0]}
    columns["seed"] = np.tile(seeds, len(trials))
    try:
        learner = make_learner(dataclasses.replace(with_settings(config, static), seeds=len(columns["seed"])))
        learner = population.with_members(learner, columns)
    except ConfigError as error:
        said = ", ".join(f"{path} {value!r}" for path, value in static.items())
        raise ConfigError(f"{error} (in the trials with {said})" if said else str(error)) from error.__cause__
    return Program(learner, static, columns, np.repeat(trials, len(seeds)).tolist())


def _member_name(path: str) -> str:
    return path.removeprefix("hyperparams.")
