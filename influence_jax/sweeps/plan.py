"""Grouping the trials of a sweep into as few programs as possible."""

import collections
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime import population
from influence_jax.settings import Integers, checked
from influence_jax.sweeps.space import HYPERPARAM_NAMES, Space, is_traced


@dataclasses.dataclass(frozen=True)
class PlannedProgram:
    """A program to be trained: trials that differ only in traced settings, each with all seeds."""

    learner: Learner
    settings: dict[str, Any]  # its own static settings
    hyperparams: dict[str, np.ndarray]  # for each member [S], as `influence_jax.train` takes them
    trials: list[int]  # the trial of each member


@dataclasses.dataclass(frozen=True)
class TrialBlock:
    """The trials of one program, and the seeds that it trains each of them with."""

    trials: Sequence[int]
    seeds: Sequence[int]


def make_plan(
    config: ExperimentConfig, space: Space, shard: Sequence[int] | None = None, begun: Sequence[TrialBlock] = ()
) -> list[PlannedProgram]:
    """Group the trials by their static settings, in order of first appearance.

    All trials use the same seeds, so that they are compared under the same randomness.

    Args:
        config: what all trials have in common.
        space: the settings that they vary.
        begun: existing programs, which come first; trials and seeds that they lack become programs of their own.
        shard: ``(i, n)`` for the i-th of n parts of the trials, from 0, whose sizes differ by at most one trial. A part is
            contiguous in the order of programs, so that it has few programs; trials keep their numbers.

    Raises:
        ConfigError: a trial of any part cannot be run, there is no such part, or it has fewer trials or seeds than were
            started.
    """
    groups: dict[str, list[int]] = {}
    for trial, values in enumerate(space.settings()):
        groups.setdefault(repr(_static(values)), []).append(trial)
    wanted, seeds = list(groups.values()), range(config.seed, config.seed + config.seeds)
    make_programs(
        config, space, [TrialBlock(trials, seeds) for trials in wanted]
    )  # so that every shard refuses what any shard would
    if shard is not None:
        in_order = [trial for trials in wanted for trial in trials]
        index, count = checked_shard(shard, len(in_order))
        kept = set(in_order[index * len(in_order) // count : (index + 1) * len(in_order) // count])
        wanted = [[trial for trial in trials if trial in kept] for trials in wanted]
    done = collections.Counter(trial for block in begun for trial in block.trials for _ in block.seeds)
    known = {trial for trials in wanted for trial in trials}
    if not known >= done.keys():
        lost = f"trials {sorted(done.keys() - known)} were begun, which are"
        if shard is None:
            raise ConfigError(f"{lost} not among these; allowed: the same, and more.")
        raise ConfigError(
            f"{lost} another shard's now that there are {len(space.settings())}; allowed: the same trials."
        )
    if max(done.values(), default=0) > config.seeds:
        raise ConfigError(f"seeds is {config.seeds}, was {max(done.values())}; allowed: at least so many.")
    missing = [
        TrialBlock([trial for trial in trials if done[trial] == count], seeds[count:])
        for trials in wanted
        for count in dict.fromkeys(done[trial] for trial in trials)
        if count < config.seeds
    ]
    return make_programs(config, space, [*begun, *missing])


def make_programs(config: ExperimentConfig, space: Space, blocks: Sequence[TrialBlock]) -> list[PlannedProgram]:
    """Return the program of each block; the trials of a block have the same static settings."""
    settings = space.settings()
    return [_program(config, settings, block) for block in blocks]


def listed_programs(programs: Sequence[PlannedProgram]) -> list[dict[str, Any]]:
    """Return the trial of each member of each program, as plain data."""
    return [{"settings": program.settings, "trials": program.trials} for program in programs]


def listed_blocks(config: ExperimentConfig, programs: Sequence[Mapping[str, Any]]) -> list[TrialBlock]:
    """Undo `listed_programs`. The members of a trial take its seeds in order, over all programs."""
    blocks, done = [], collections.Counter()
    for program in programs:
        trials, first = list(dict.fromkeys(program["trials"])), config.seed + done[program["trials"][0]]
        blocks.append(TrialBlock(trials, range(first, first + len(program["trials"]) // len(trials))))
        done.update(program["trials"])
    return blocks


def renumbered(blocks: Sequence[TrialBlock], before: Space, space: Space) -> list[TrialBlock]:
    """Return blocks of one space as blocks of another space that contains their trials; equal trials keep their order.

    Raises:
        ConfigError: it lacks one of the trials.
    """
    alike: dict[str, collections.deque[int]] = collections.defaultdict(collections.deque)
    for trial, values in enumerate(space.settings()):
        alike[json.dumps(values, sort_keys=True)].append(trial)
    settings, numbers = before.settings(), {}
    for trial, values in enumerate(settings):
        if same := alike[json.dumps(values, sort_keys=True)]:
            numbers[trial] = same.popleft()
    for trial in (trial for block in blocks for trial in block.trials):
        if trial not in numbers:
            said = ", ".join(f"{path} {value!r}" for path, value in settings[trial].items())
            raise ConfigError(
                f"a trial of {said} was begun, which is not among these; allowed: the same trials, and more."
            )
    return [dataclasses.replace(block, trials=[numbers[trial] for trial in block.trials]) for block in blocks]


def checked_shard(shard: Sequence[int], trials: int) -> tuple[int, int]:
    """Return ``(i, n)`` as Python integers.

    Raises:
        ConfigError: it is not a part of this many trials.
    """
    try:
        index, count = shard
        count = checked("n", count, Integers(1))
        index = checked("i", index, Integers(0, count - 1))
    except (TypeError, ValueError):
        raise ConfigError(f"shard is {shard!r}; allowed: (i, n), whole numbers with 0 <= i < n.") from None
    if count > trials:
        raise ConfigError(
            f"shard is {index} of {count} where there are {trials} trials; allowed: {trials} shards at most."
        )
    return index, count


def _static(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not is_traced(name)}


def _program(config: ExperimentConfig, settings: list[dict[str, Any]], block: TrialBlock) -> PlannedProgram:
    trials, seeds = block.trials, np.array(block.seeds)
    static = _static(settings[trials[0]])
    traced = [{name: x for name, x in settings[t].items() if is_traced(name)} for t in trials]
    columns = {
        name: np.repeat(population.as_array([t[name] for t in traced]), len(seeds), axis=0) for name in traced[0]
    }
    columns["seed"] = np.tile(seeds, len(trials))
    # Settings are checked together, so a trial's own values must replace the common ones before its static settings are checked.
    own = {f"hyperparams.{name}": x for name, x in traced[0].items() if name in HYPERPARAM_NAMES and np.ndim(x) == 0}
    try:
        learner = make_learner(config.override(**static, **own, seeds=len(seeds)))
        learner = population.with_members(learner, columns)
    except ConfigError as error:
        said = ", ".join(f"{name} {value!r}" for name, value in static.items())
        raise ConfigError(f"{error} (in the trials with {said})" if said else str(error)) from error.__cause__
    return PlannedProgram(learner, static, columns, np.repeat(trials, len(seeds)).tolist())
