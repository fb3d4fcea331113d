"""Running a sweep in a directory, and going on with one."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.analysis.labels import labels
from influence_jax.analysis.load import SHARED
from influence_jax.analysis.tables import final_rows, pandas, run_rows
from influence_jax.config import ConfigError, ExperimentConfig, code_paths, from_json, to_dict
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import directory
from influence_jax.runtime import run as runs
from influence_jax.runtime.checkpoint import Checkpoints
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.files import write_json
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.run import Run
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import Integers, checked, is_path, nearest
from influence_jax.sweeps.plan import Program, checked_shard, make_plan, make_programs
from influence_jax.sweeps.space import Space, make_space

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Record:
    """How far a program got."""

    update: int  # updates done
    metrics: dict[str, np.ndarray]  # as of `Run`


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
        """Whether all programs were trained to their end."""
        return self.num_finished == len(self.programs)

    @property
    def num_finished(self) -> int:
        """How many programs were trained to their end."""
        return sum(record.update >= program.learner.config.num_updates for program, record in self.begun)

    @property
    def recorded(self) -> list[tuple[Program, Record]]:
        """Those of `begun` that have log points."""
        return [(program, record) for program, record in self.begun if record.metrics]

    def __repr__(self) -> str:
        members = [trial for program in self.programs for trial in program.trials]
        programs = f"{len(self.programs)} program{'s' if len(self.programs) != 1 else ''}"
        return (
            f"Sweep of {len(set(members))} trials, {len(members)} members in {programs}, {self.num_finished} finished"
        )

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
            number = next(i for i, program in enumerate(self.programs) if row["trial"] in program.trials)
            chosen = np.array(self.programs[number].trials) == row["trial"]
            found[label] = {name: x[:, chosen] for name, x in self.records[number].metrics.items()}
        return found


def sweep(
    config: ExperimentConfig,
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

    Trials that differ in numbers that are traced (hyper-parameters, numbers of the game) are members of one program; each
    combination of other settings is a program of its own. A request to stop ends the sweep after the current chunk, with a
    checkpoint; with ``resume`` it goes on as if it had not stopped.

    Args:
        config: what all trials have in common.
        grid: see `influence_jax.sweeps.space.make_space`.
        random: see there.
        trials: draws of ``random`` for each combination of ``grid``.
        draw_seed: of the draws.
        listed: the settings of each trial, instead of these.
        shard: ``(i, n)`` trains the i-th of n parts of the trials, from 0, and nothing else; `influence_jax.merge` joins the
            directories of all parts.
        out: directory, in which ``programs/000`` and so on are directories of runs.
        resume: go on with the sweep in ``out``.
        devices: how members are laid over devices.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, or ``out`` does not fit.

    Example:
        >>> found = influence_jax.sweep(config, grid={"learning_rate": [1e-3, 3e-4]}, out="runs/sweep")
        >>> found.best(1)
    """
    path, space = directory.checked_path(out), make_space(config, grid, random, trials, draw_seed, listed)
    return run_sweep(path, space, make_plan(config, space, shard), config, shard, resume, devices, callback)


def run_sweep(path, space, programs, config, shard, resume, devices, callback) -> Sweep:
    """Run a plan; see `sweep`."""
    about = {"format_version": FORMAT_VERSION, "space": space.to_json(), "config": to_dict(make_learner(config).config)}
    if shard is not None:
        about["shard"] = checked_shard(shard, len(space.settings()))
    about = json.loads(json.dumps(about | {"programs": listed_programs(programs)}))
    if resume:
        if read_about(path) != about:
            raise ConfigError(
                f"{str(path)!r} holds another sweep or part of one; allowed to resume is the same, with the same settings."
            )
    else:
        directory.refuse_taken(path)
    records, existed = [], path.exists()
    with directory.locked(path), contextlib.ExitStack() as at_the_end, deferred_stop() as stop:
        if not resume:
            at_the_end.callback(give_back, path, existed)
            write_json(path / "sweep.json", about)
        for number, program in enumerate(programs):
            if stop.is_set():
                break
            out = place_of(path, number)
            begun = (out / "config.json").exists()
            members = {"hyperparams": program.hyperparams, "out": out, "resume": begun}
            run = runs.train(program.learner, **members, devices=devices, callback=callback)
            records.append(Record(run.update, run.metrics))
            if not run.finished:
                break
    return Sweep(space, programs, path, records)


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
    try:
        config = from_json(json.dumps(about["config"]))
        _refuse_code(path, [f"{setting} {name!r}" for setting, name in code_paths(config).items()], trust)
        space = make_space(config, **about["space"])
        varied = dict.fromkeys(x for trial in space.settings() for x in trial.values() if is_path(x))
        _refuse_code(path, list(map(repr, varied)), trust)
        programs = _programs(about["programs"], config, space)
    except ConfigError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{str(path / 'sweep.json')!r} cannot be read: {problem}; allowed is what `sweep` writes."
        ) from None
    if programs is None:
        raise ConfigError(
            f"{str(path / 'sweep.json')!r} lists other trials than its own; allowed is what `sweep` writes."
        )
    places = [place_of(path, number) for number in range(len(programs))]
    updates = [max(Checkpoints(place).updates(), default=0) for place in places]
    begun = max((number for number, update in enumerate(updates, start=1) if update), default=0)
    for place, update in zip(places[:begun], updates, strict=False):
        if not update:
            raise ConfigError(
                f"{str(place)!r} has no checkpoints, which programs after it have; allowed is to go on with the sweep "
                "(--resume), which trains it again."
            )
    found = zip(places[:begun], programs, updates, strict=False)
    records = [Record(update, runs.recorded(place, program.learner, update)) for place, program, update in found]
    return Sweep(space, programs, path, records)


def listed_programs(programs: Sequence[Program]) -> list[dict[str, Any]]:
    """Return which trials each program has, member by member; what ``sweep.json`` says of a plan."""
    return [{"settings": program.settings, "trials": program.trials} for program in programs]


def _programs(listed: Any, config: ExperimentConfig, space: Space) -> list[Program] | None:
    """Undo `listed_programs`; None if that cannot be what these are."""
    parts = [list(dict.fromkeys(program["trials"])) for program in listed]
    known = range(len(space.settings()))
    if not all(trial in known for part in parts for trial in part) or not all(parts):
        return None
    programs = make_programs(config, space, parts)
    return programs if json.loads(json.dumps(listed_programs(programs))) == listed else None


def _refuse_code(path: pathlib.Path, named: list[str], trust: bool) -> None:
    if named and not trust:
        raise ConfigError(
            f"{str(path)!r} holds a sweep that names code outside of this package ({', '.join(named)}); allowed with trust."
        )


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
