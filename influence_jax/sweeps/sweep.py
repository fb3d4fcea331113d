"""Running a sweep in a directory, and going on with one."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.analysis.labels import labels
from influence_jax.analysis.members import joined
from influence_jax.analysis.tables import final_rows, pandas, run_rows
from influence_jax.config import ConfigError, ExperimentConfig, code_paths, from_json, to_dict
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.log_format import SHARED
from influence_jax.runtime import directory, population
from influence_jax.runtime import run as runs
from influence_jax.runtime.checkpoint import Checkpoints, differences
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.files import write_json
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.run import Run
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import Integers, checked, is_path, nearest
from influence_jax.sweeps.plan import (
    Part,
    Program,
    checked_shard,
    listed_parts,
    listed_programs,
    make_plan,
    make_programs,
    renumbered,
)
from influence_jax.sweeps.space import Space, make_space

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Record:
    """How far a program got."""

    update: int  # updates done
    metrics: dict[str, np.ndarray]  # as of `Run`
    failed: Sequence[int] = ()  # the members that learn no more
    pruned: bool = False  # whether a search ended it early
    saved: bool = True  # whether a checkpoint has all of it
    too_large: bool = False  # whether it needs more memory than there is here

    def ended(self, program: Program) -> bool:
        """Whether the program was trained to its end, or no member of it can learn any more, or is to."""
        done = self.update >= program.learner.config.num_updates
        return done or self.pruned or len(self.failed) == len(program.trials)


class Runs(Sequence):
    """The runs of programs; each is read from its directory when it is asked for, and held by nobody else."""

    def __init__(self, path: pathlib.Path, programs: Sequence[Program]):
        """Look for the runs of ``programs`` in the directory of a sweep."""
        self._path, self._programs = path, programs

    def __len__(self) -> int:
        return len(self._programs)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(len(self))[number]]
        number = range(len(self))[number]
        return runs.load(place_of(self._path, number), learner=self._programs[number].learner)

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"


@dataclasses.dataclass(frozen=True, repr=False)
class Sweep:
    """A sweep as far as it got."""

    space: Space
    programs: list[Program]
    path: pathlib.Path
    records: list[Record]  # of the programs that were begun

    @property
    def begun(self) -> list[tuple[Program, Record]]:
        """The programs that were begun, with how far they got."""
        return list(zip(self.programs, self.records, strict=False))

    @property
    def runs(self) -> Runs:
        """The runs of the programs that have a checkpoint, in their order."""
        return Runs(self.path, [program for program, record in self.begun if record.update])

    @property
    def finished(self) -> bool:
        """Whether all programs were trained to their end, or until no member of them could learn any more."""
        return self.num_finished == len(self.programs)

    @property
    def num_finished(self) -> int:
        """How many programs are at their end."""
        return sum(record.ended(program) for program, record in self.begun)

    @property
    def failed(self) -> list[int]:
        """The trials some seed of which learns no more."""
        return sorted({program.trials[member] for program, record in self.begun for member in record.failed})

    @property
    def recorded(self) -> list[tuple[Program, Record]]:
        """Those of `begun` that have log points."""
        return [(program, record) for program, record in self.begun if record.metrics]

    def __repr__(self) -> str:
        members = [trial for program in self.programs for trial in program.trials]
        programs = f"{len(self.programs)} program{'s' if len(self.programs) != 1 else ''}"
        failed = f", {len(self.failed)} trials failed" if self.failed else ""
        return f"Sweep of {len(set(members))} trials, {len(members)} members in {programs}, {self.num_finished} finished{failed}"

    @property
    def parts(self) -> list[tuple[dict[str, np.ndarray], list[dict[str, Any]], dict[str, Any]]]:
        """Of each program that has log points its metrics, its members' trials, settings and seeds, and what else they have."""
        return [
            (record.metrics, self._members(program), vars(program.learner.config.hyperparams))
            for program, record in self.recorded
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each member: its trial, settings and seed, and the end of each metric; see `analysis.final_rows`."""
        rows = [row for metrics, members, _ in self.parts for row in final_rows(metrics, members)]
        return sorted(rows, key=lambda row: (row["trial"], row["seed"]))

    def table(self) -> Any:
        """Return all log points as a tidy ``pandas.DataFrame``: one row per trial, seed and log point."""
        frames = [pandas().DataFrame(run_rows(metrics, members)) for metrics, members, _ in self.parts]
        joined = pandas().concat(frames, ignore_index=True)
        return joined.sort_values(["trial", "seed", "update"], kind="stable", ignore_index=True)

    def _members(self, program: Program) -> list[dict[str, Any]]:
        settings, seeds = self.space.settings(), program.hyperparams["seed"]
        return [
            {"trial": trial, **settings[trial], "seed": int(seed)}
            for trial, seed in zip(program.trials, seeds, strict=True)
        ]

    def best(self, count: int = 5, metric: str = "collective_return") -> list[dict[str, Any]]:
        """Return the settings of the best trials, each with the mean of a metric over its seeds, and its standard deviation.

        A trial one of whose seeds failed, or lacks the metric, is behind all others. A sweep that is not finished says so in a
        warning: its trials may be at different steps, and some have none.

        Raises:
            ConfigError: the metric was not recorded.
        """
        if not self.finished:
            measured = {trial for program, _ in self.recorded for trial in program.trials}
            warnings.warn(
                f"the sweep in {str(self.path)!r} is not finished: {self.num_finished} of {len(self.programs)} programs are, "
                f"and {len(measured)} of {len(self.space.settings())} trials have results.",
                stacklevel=2,
            )
        known = sorted({name for metrics, _, _ in self.parts for name, x in metrics.items() if x.ndim == 2} - {*SHARED})
        if metric not in known:
            raise ConfigError(f"metric is {metric!r}; allowed: {', '.join(known)}.{nearest(str(metric), known)}")
        trials: dict[int, list[float]] = {}
        for row in self.rows():
            trials.setdefault(row["trial"], []).append(row.get(metric, float("nan")))
        settings = self.space.settings()
        found = [
            {
                "trial": trial,
                **settings[trial],
                metric: float(np.mean(x)),
                "std": float(np.std(x, ddof=1)) if len(x) > 1 else float("nan"),
                "seeds": len(x),
            }
            for trial, x in trials.items()
        ]
        return sorted(found, key=lambda row: -np.nan_to_num(row[metric], nan=-np.inf))[
            : checked("count", count, Integers(1))
        ]

    def curves(self, count: int = 5, metric: str = "collective_return") -> dict[str, dict[str, np.ndarray]]:
        """Return the metrics of the best trials by a label, as `influence_jax.plot_learning_curves` takes them."""
        found, rows, settings = {}, self.best(count, metric), self.space.settings()
        for row, label in zip(rows, labels([settings[row["trial"]] for row in rows]), strict=True):
            parts = [
                {name: x[:, np.array(program.trials) == row["trial"]] for name, x in record.metrics.items()}
                for program, record in self.recorded
                if row["trial"] in program.trials
            ]
            found[label] = joined(parts)
        return found


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
    """Train every trial of a search, each with ``config.seeds`` seeds.

    Trials that differ in numbers that are traced (hyper-parameters, environment parameters) are members of one program; each
    combination of other settings is a program of its own. A request to stop ends the sweep after the current chunk, with a
    checkpoint; with ``resume`` it goes on as if it had not stopped, from nothing if there is nothing. It may have more trials,
    seeds or ``total_steps`` then. A program no member of which can learn any more is at its end.

    Args:
        experiment: what all trials have in common: the name of a preset, a configuration, or a learner without parts of your own.
        grid: see `influence_jax.sweeps.space.make_space`.
        random: see there.
        trials: draws of ``random`` for each combination of ``grid``.
        draw_seed: of the draws.
        listed: the settings of each trial, instead of these.
        shard: ``(i, n)`` trains the i-th of n parts of the trials, from 0, and nothing else; `influence_jax.merge` joins the
            directories of all parts.
        out: directory, in which ``programs/000`` and so on are directories of runs.
        resume: go on with the sweep in ``out``, if there is one.
        devices: how members are laid over devices.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, or ``out`` does not fit.

    Example:
        >>> found = influence_jax.sweep(config, grid={"learning_rate": [1e-3, 3e-4]}, out="runs/sweep")
        >>> found.best(1)
    """
    runs.check_arguments(devices, callback, resume=resume)
    config = runs.config_of(experiment)
    path, space = directory.checked_path(out), make_space(config, grid, random, trials, draw_seed, listed)
    return run_sweep(path, space, config, shard, resume, devices, callback)


def planned(
    path: pathlib.Path, config: ExperimentConfig, space: Space, shard: Sequence[int] | None, resume: bool
) -> list[Program]:
    """Return the programs of a sweep: those that were begun in its directory, and what it is to have beside them.

    Raises:
        ConfigError: there is something else in the directory.
    """
    if not resume or not (path / "sweep.json").exists():
        directory.refuse_taken(path)
        return make_plan(config, space, shard)
    before, config = read_about(path), make_learner(config).config
    saved = _config(path, before)
    different = differences(_fixed(config, shard), _fixed(saved, before.get("shard")))
    if config.total_steps < saved.total_steps:
        different.append(f"total_steps is {config.total_steps}, was {saved.total_steps}")
    if different or "search" in before:
        named = "; ".join(different) or "its trials were chosen by Optuna"
        raise ConfigError(
            f"{str(path)!r} holds another sweep: {named}; allowed: the same settings, with more trials, seeds or total_steps."
        )
    trials, parts = _trials(path, before, saved)
    try:
        return make_plan(config, space, shard, renumbered(parts, trials, space))
    except ConfigError as error:
        raise ConfigError(f"{str(path)!r} holds another sweep: {error}") from error


def _fixed(config: ExperimentConfig, shard: Sequence[int] | None) -> dict[str, Any]:
    """Return what a sweep is to have in common with the one that it goes on with."""
    settings = {path: value for path, value in directory.flat(config).items() if path not in ("seeds", "total_steps")}
    return settings | {"shard": shard}


def run_sweep(path, space, config, shard, resume, devices, callback) -> Sweep:
    """Run a sweep, or go on with it; see `sweep`."""
    programs = planned(path, config, space, shard, resume)
    about = {"format_version": FORMAT_VERSION, "space": space.to_json(), "config": to_dict(make_learner(config).config)}
    if shard is not None:
        about["shard"] = list(checked_shard(shard, len(space.settings())))
    about = json.loads(json.dumps(about | {"programs": listed_programs(programs)}))
    records, existed = [], path.exists()
    with directory.locked(path), contextlib.ExitStack() as at_the_end, deferred_stop() as stop:
        if not (path / "sweep.json").exists():
            at_the_end.callback(give_back, path, existed)
        if not (path / "sweep.json").exists() or read_about(path) != about:
            write_json(path / "sweep.json", about)
        for number, program in enumerate(programs):
            if stop.is_set():
                break
            try:
                records.append(run_program(program, place_of(path, number), devices, ends_all(callback, stop)))
            except MemoryError as error:
                warnings.warn(f"program {number} cannot be trained here: {error}", stacklevel=3)
                records.append(dataclasses.replace(record_of(place_of(path, number), program), too_large=True))
            if not (records[-1].ended(program) or records[-1].too_large):
                break
    return Sweep(space, programs, path, records)


def ends_all(callback: Callable[[LogPoint], None] | None, stop: threading.Event) -> Callable[[LogPoint], None] | None:
    """Return a callback whose wish to stop is meant for all programs, those that come after this one, too."""
    if callback is None:
        return None

    def call(point: LogPoint) -> None:
        try:
            callback(point)
        except KeyboardInterrupt:
            stop.set()
            raise

    return call


def run_program(program: Program, place: pathlib.Path, devices, callback) -> Record:
    """Train a program to its end, or go on with it, and say how far it got."""
    begun = (place / "config.json").exists()
    if begun:
        directory.lengthen(place, program.learner)
    members = {"hyperparams": program.hyperparams, "out": place, "resume": begun}
    try:
        run = runs.train(program.learner, **members, devices=devices, callback=callback)
    except FloatingPointError:  # all of its members failed, each of which a warning has named
        return record_of(place, program)
    failed = [failure["member"] for failure in run.failures]
    return Record(run.update, run.metrics, failed, saved=not run.update or run.saved == run.update)


def record_of(place: pathlib.Path, program: Program) -> Record:
    """Read how far a program got."""
    checkpoints = Checkpoints(place)
    update = max(checkpoints.updates(), default=0)
    metrics = runs.recorded(place, program.learner, update) if update else {}
    return Record(update, metrics, checkpoints.notes(update).get("failed", []))


def place_of(path: pathlib.Path, number: int) -> pathlib.Path:
    """Return the directory of a program's run."""
    return path / "programs" / f"{number:03}"


def give_back(path: pathlib.Path, existed: bool) -> None:
    """Leave nothing in the way of the corrected command, if no program was begun."""
    if not any(path.glob("programs/*/config.json")):
        for name in ("programs", "sweep.json", "lock"):
            place = path / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        if not existed:
            path.rmdir()


def load(
    out: str | pathlib.Path, update: int | None = None, *, learner: Any = None, trust: bool = False
) -> Run | Sweep:
    """Read back a run, see `influence_jax.runtime.run.load`, or a sweep with all of its runs.

    Raises:
        ConfigError: there is neither, or it needs code that is not trusted; ``update`` or ``learner`` is given for a sweep.
    """
    path = directory.checked_path(out)
    if not (path / "sweep.json").exists():
        return runs.load(out, update, learner=learner, trust=trust)
    for name, given in (("update", update), ("learner", learner)):
        if given is not None:
            shown = given if name == "update" else f"a {type(given).__name__}"
            raise ConfigError(
                f"{name} is {shown!s} for {str(path)!r}, which holds a sweep; allowed with it is the directory of one of its "
                f"runs, such as {str(place_of(path, 0))!r}."
            )
    about = read_about(path)
    _, space, programs = trusted(path, about, trust)
    places = [place_of(path, number) for number in range(len(programs))]
    updates = [max(Checkpoints(place).updates(), default=0) for place in places]
    begun = max((number for number, update in enumerate(updates, start=1) if update), default=0)
    for place, program, update in zip(places[:begun], programs, updates, strict=False):
        if (place / "config.json").exists():
            members = population.member_settings(program.learner, program.hyperparams)
            directory.reclaim(place, program.learner, members, directory.FREE)  # it may not have been lengthened yet
        if not update and (place / "config.json").exists():
            raise ConfigError(
                f"{str(place)!r} has no checkpoints, which programs after it have; allowed is to go on with the sweep "
                "(--resume), which trains it again."
            )
    records = list(map(record_of, places[:begun], programs))
    for number in about.get("pruned", []):
        if number < begun:
            records[number] = dataclasses.replace(records[number], pruned=True)
    return Sweep(space, programs, path, records)


def _config(path: pathlib.Path, about: dict[str, Any]) -> ExperimentConfig:
    """Return what a sweep's trials have in common; nothing is imported."""
    with _as_written(path):
        return from_json(json.dumps(about["config"]))


def _trials(path: pathlib.Path, about: dict[str, Any], config: ExperimentConfig) -> tuple[Space, list[Part]]:
    """Return what a sweep's trials differ in, and the parts that its programs are."""
    with _as_written(path):
        space, parts = make_space(config, **about["space"]), listed_parts(config, about["programs"])
        known = range(len(space.settings()))
        if not all(trial in known for part in parts for trial in part.trials):
            raise _other_trials(path)
        return space, parts


def trusted(path: pathlib.Path, about: dict[str, Any], trust: bool) -> tuple[ExperimentConfig, Space, list[Program]]:
    """Return all of a sweep that ``sweep.json`` says, importing code of others only if it is trusted."""

    def refuse(named: list[str]) -> None:
        if named and not trust:
            raise ConfigError(
                f"{str(path)!r} holds a sweep that names code outside of this package ({', '.join(named)}); allowed with trust."
            )

    config = _config(path, about)
    refuse([f"{setting} {name!r}" for setting, name in code_paths(config).items()])
    space, parts = _trials(path, about, config)
    varied = dict.fromkeys(x for trial in space.settings() for x in trial.values() if is_path(x))
    refuse(list(map(repr, varied)))
    with _as_written(path):
        refuse([repr(name) for name in map(about.get("search", {}).get, ("sampler", "pruner")) if name is not None])
        programs = make_programs(config, space, parts)
        if json.loads(json.dumps(listed_programs(programs))) != about["programs"]:
            raise _other_trials(path)
    return config, space, programs


def _other_trials(path: pathlib.Path) -> ConfigError:
    return ConfigError(f"{str(path / 'sweep.json')!r} lists other trials than its own; allowed is what `sweep` writes.")


@contextlib.contextmanager
def _as_written(path: pathlib.Path) -> Iterator[None]:
    """Say which file it is that is not what `sweep` writes."""
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{str(path / 'sweep.json')!r} cannot be read: {problem}; allowed is what `sweep` writes."
        ) from None


def read_about(path: pathlib.Path) -> dict[str, Any]:
    """Read ``sweep.json``: the space, the common configuration, which part of the trials it is, the programs.

    Raises:
        ConfigError: there is no sweep, or one in a format that this version does not know.
    """
    file = path / "sweep.json"
    if not file.exists():
        raise ConfigError(f"{str(path)!r} holds no sweep; allowed is a directory that `sweep` wrote.")
    try:
        about = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{str(file)!r} cannot be read: {error}; allowed is what `sweep` writes.") from None
    if not isinstance(about, dict) or about.get("format_version") != FORMAT_VERSION:
        raise ConfigError(f"format_version of {str(file)!r} is not {FORMAT_VERSION}, which this version reads.")
    return about
