"""Running and continuing a sweep in a directory."""

import dataclasses
import json
import pathlib
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from influence_jax.config import ConfigError, ExperimentConfig, to_dict
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime import directory
from influence_jax.runtime import run as runs
from influence_jax.runtime.checkpoint import differences
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.files import write_json
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.run import Execution
from influence_jax.runtime.signals import deferred_stop
from influence_jax.sweeps.files import (
    FORMAT_VERSION,
    common_config,
    exclusive,
    program_directory,
    read_about,
    space_and_blocks,
)
from influence_jax.sweeps.plan import PlannedProgram, checked_shard, listed_programs, make_plan, renumbered
from influence_jax.sweeps.results import Record, Sweep, record_of
from influence_jax.sweeps.space import Space, make_space


def sweep(
    experiment: str | ExperimentConfig | Learner,
    *,
    grid: Mapping[str, Sequence[Any]] | None = None,
    random: Mapping[str, str] | None = None,
    trials: int = 1,
    draw_seed: int = 0,
    listed: Sequence[Mapping[str, Any]] | None = None,
    shard: tuple[int, int] | None = None,
    out: str | pathlib.Path,
    resume: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Sweep:
    """Train every trial of a sweep, each with ``config.seeds`` seeds.

    Trials that differ in traced numbers (hyper-parameters, game parameters) are members of one program; each combination of
    other settings is a program of its own. A stop request ends the sweep after the current chunk, with a checkpoint. With
    ``resume``, the sweep in ``out`` continues as if it had not stopped, or starts if there is none; it may then have more trials,
    seeds or ``total_steps``. A program in which no member can continue counts as ended.

    Args:
        experiment: what all trials have in common: the name of a preset, a configuration, or a learner without parts of your own.
        grid: see `influence_jax.sweeps.space.make_space`.
        random: see there.
        trials: draws of ``random`` for each combination of ``grid``.
        draw_seed: of the draws.
        listed: the settings of each trial, instead of these.
        shard: ``(i, n)`` trains only the i-th of n parts of the trials, from 0; `influence_jax.merge` joins the directories of
            all parts.
        out: directory; ``programs/000`` and so on are directories of runs.
        resume: continue the sweep in ``out``, if there is one.
        devices: placement of members on devices.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, or ``out`` holds something else.

    Example:
        >>> sweep = influence_jax.sweep(config, grid={"learning_rate": [1e-3, 3e-4]}, out="runs/new")
        >>> best = sweep.best(1)
    """
    path, how = directory.checked_path(out), Execution(resume=resume, devices=devices, callback=callback)
    config = runs.config_of(experiment)
    return run_sweep(config, make_space(config, grid, random, trials, draw_seed, listed), shard, path, how)


def planned(
    config: ExperimentConfig, space: Space, shard: Sequence[int] | None, path: pathlib.Path, how: Execution
) -> list[PlannedProgram]:
    """Return the programs of a sweep: those that its directory already has, then the missing ones.

    Raises:
        ConfigError: the directory holds something else.
    """
    if not how.resume or not (path / "sweep.json").exists():
        directory.refuse_taken(path)
        return make_plan(config, space, shard)
    before, config = read_about(path), make_learner(config).config
    saved = common_config(path, before)
    different = differences(_fixed(config, shard), _fixed(saved, before.get("shard")))
    if config.total_steps < saved.total_steps:
        different.append(f"total_steps is {config.total_steps}, was {saved.total_steps}")
    if different or "search" in before:
        named = "; ".join(different) or "its trials were chosen by Optuna"
        raise ConfigError(
            f"{str(path)!r} holds another sweep: {named}; allowed: the same settings, with more trials, seeds or total_steps."
        )
    trials, blocks = space_and_blocks(path, before, saved)
    try:
        return make_plan(config, space, shard, renumbered(blocks, trials, space))
    except ConfigError as error:
        raise ConfigError(f"{str(path)!r} holds another sweep: {error}") from error


def _fixed(config: ExperimentConfig, shard: Sequence[int] | None) -> dict[str, Any]:
    """Return what a sweep must have in common with the one that it continues."""
    settings = {path: value for path, value in directory.flat(config).items() if path not in ("seeds", "total_steps")}
    return settings | {"shard": shard}


def run_sweep(
    config: ExperimentConfig, space: Space, shard: Sequence[int] | None, path: pathlib.Path, how: Execution
) -> Sweep:
    """Run or continue a sweep; see `sweep`."""
    programs = planned(config, space, shard, path, how)
    about = {"format_version": FORMAT_VERSION, "space": space.to_json(), "config": to_dict(make_learner(config).config)}
    if shard is not None:
        about["shard"] = list(checked_shard(shard, len(space.settings())))
    about = json.loads(json.dumps(about | {"programs": listed_programs(programs)}))
    records = []
    with exclusive(path), deferred_stop() as stop:
        how = dataclasses.replace(how, callback=StoppingAll(how.callback, stop))
        if not (path / "sweep.json").exists() or read_about(path) != about:
            write_json(path / "sweep.json", about)
        for number, program in enumerate(programs):
            if stop.is_set():
                break
            place = program_directory(path, number)
            try:
                records.append(run_program(program, place, how))
            except MemoryError as error:
                warnings.warn(f"program {number} cannot be trained here: {error}", stacklevel=3)
                records.append(dataclasses.replace(record_of(place, program), too_large=True))
            if not (records[-1].ended(program) or records[-1].too_large):
                break
    return Sweep(space, programs, path, records)


class StoppingAll:
    """A callback that passes log points on, and whose stop request also applies to all later programs."""

    def __init__(self, callback: Callable[[LogPoint], None] | None, stop: threading.Event):
        self._callback, self._stop = callback, stop
        self.begin = getattr(callback, "begin", None)  # see `influence_jax.train`

    def __call__(self, point: LogPoint) -> None:
        """Take a log point."""
        try:
            if self._callback is not None:
                self._callback(point)
        except KeyboardInterrupt:
            self._stop.set()
            raise


def run_program(program: PlannedProgram, place: pathlib.Path, how: Execution) -> Record:
    """Train a program in its own directory to its end, or continue it, and return its progress."""
    begun = (place / "config.json").exists()
    if begun:
        directory.lengthen(place, program.learner)
    members = {"hyperparams": program.hyperparams, "out": place, "resume": begun}
    try:
        run = runs.train(program.learner, **members, devices=how.devices, callback=how.callback)
    except FloatingPointError:  # all of its members failed, with a warning for each
        return record_of(place, program)
    failed = [failure["member"] for failure in run.failures]
    return Record(run.update, run.metrics, failed, saved=not run.update or run.saved == run.update)
