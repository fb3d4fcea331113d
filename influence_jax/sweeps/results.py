"""A sweep's results so far: its runs, tables and best trials; loading one."""

import dataclasses
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from influence_jax.analysis.labels import labels
from influence_jax.analysis.members import MemberMetrics, joined
from influence_jax.analysis.tables import final_rows, html_table, pandas, run_rows
from influence_jax.config import ConfigError
from influence_jax.log_format import SHARED
from influence_jax.runtime import directory, population
from influence_jax.runtime import run as runs
from influence_jax.runtime.checkpoint import Checkpoints
from influence_jax.runtime.run import Run
from influence_jax.settings import Integers, checked, counted, nearest
from influence_jax.sweeps.files import program_directory, read_about, trusted
from influence_jax.sweeps.plan import PlannedProgram
from influence_jax.sweeps.space import Space


@dataclasses.dataclass(frozen=True)
class Record:
    """The progress of one program."""

    update: int  # updates done
    metrics: dict[str, np.ndarray]  # as in `Run`
    failed: Sequence[int] = ()  # members that stopped learning
    pruned: bool = False  # whether a search ended it early
    saved: bool = True  # whether a checkpoint contains all of it
    too_large: bool = False  # whether it needs more memory than there is

    def ended(self, program: PlannedProgram) -> bool:
        """Return whether the program is done: trained to its end, pruned, or without a member that can continue."""
        done = self.update >= program.learner.config.num_updates
        return done or self.pruned or len(self.failed) == len(program.trials)


def record_of(place: pathlib.Path, program: PlannedProgram) -> Record:
    """Read the progress of a program."""
    checkpoints = Checkpoints(place)
    update = max(checkpoints.updates(), default=0)
    metrics = runs.recorded(place, program.learner, update) if update else {}
    return Record(update, metrics, checkpoints.notes(update).get("failed", []))


class Runs(Sequence[Run]):
    """The runs of programs; each is loaded from its directory on access and not kept."""

    def __init__(self, path: pathlib.Path, programs: Mapping[int, PlannedProgram]):
        """Look for the runs of ``programs``, by their numbers, in the directory of a sweep."""
        self._path, self._programs = path, programs

    def __len__(self) -> int:
        return len(self._programs)

    @overload
    def __getitem__(self, number: int) -> Run: ...

    @overload
    def __getitem__(self, number: slice) -> list[Run]: ...

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(len(self))[number]]
        number = list(self._programs)[number]
        return runs.load(program_directory(self._path, number), learner=self._programs[number].learner)

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"


@dataclasses.dataclass(frozen=True, repr=False)
class Sweep:
    """A sweep, or a search, and its results so far, from `influence_jax.sweep`, `search` or `load`.

    >>> sweep = influence_jax.load("runs/sweep")
    >>> best = sweep.best(3)
    >>> influence_jax.plot_learning_curves(sweep).savefig("sweep.png")
    """

    space: Space
    programs: list[PlannedProgram]
    path: pathlib.Path
    records: list[Record]  # of the programs that were started

    @property
    def begun(self) -> list[tuple[PlannedProgram, Record]]:
        """The programs that were started, with their progress."""
        return list(zip(self.programs, self.records, strict=False))

    @property
    def runs(self) -> Runs:
        """The runs of the programs that have a checkpoint, in order."""
        begun = enumerate(self.begun)
        return Runs(self.path, {number: program for number, (program, record) in begun if record.update})

    @property
    def finished(self) -> bool:
        """Whether all programs have ended, by training to the end or because no member could continue."""
        return self.num_finished == len(self.programs)

    @property
    def num_finished(self) -> int:
        """How many programs have ended."""
        return sum(record.ended(program) for program, record in self.begun)

    @property
    def failed(self) -> list[int]:
        """The trials in which a seed stopped learning."""
        return sorted({program.trials[member] for program, record in self.begun for member in record.failed})

    @property
    def recorded(self) -> list[tuple[PlannedProgram, Record]]:
        """The entries of `begun` that have log points."""
        return [(program, record) for program, record in self.begun if record.metrics]

    def __repr__(self) -> str:
        members = [trial for program in self.programs for trial in program.trials]
        parts = [counted(len(set(members)), "trial"), counted(len(members), "member")]
        failed = f", {counted(len(self.failed), 'trial')} failed" if self.failed else ""
        programs = counted(len(self.programs), "program")
        return f"Sweep of {', '.join(parts)} in {programs}, {self.num_finished} finished{failed}"

    def _repr_html_(self) -> str:
        if not (self.finished and self.recorded):
            return repr(self)
        return html_table(self.best(10), f"{self!r}; the best by collective return")

    @property
    def member_metrics(self) -> list[MemberMetrics]:
        """The metrics of each program that has log points, with its members' trials, settings and seeds."""
        return [
            MemberMetrics(record.metrics, self._members(program), vars(program.learner.config.hyperparams))
            for program, record in self.recorded
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each member: trial, settings, seed, and each metric at the end; see `analysis.final_rows`."""
        rows = [row for program, record in self.recorded for row in final_rows(record.metrics, self._members(program))]
        return sorted(rows, key=lambda row: (row["trial"], row["seed"]))

    def table(self) -> Any:
        """Return all log points as a tidy ``pandas.DataFrame``: one row per trial, seed and log point."""
        frames = [
            pandas().DataFrame(run_rows(record.metrics, self._members(program))) for program, record in self.recorded
        ]
        joined = pandas().concat(frames, ignore_index=True)
        return joined.sort_values(["trial", "seed", "update"], kind="stable", ignore_index=True)

    def _members(self, program: PlannedProgram) -> list[dict[str, Any]]:
        settings, seeds = self.space.settings(), program.hyperparams["seed"]
        return [
            {"trial": trial, **settings[trial], "seed": int(seed)}
            for trial, seed in zip(program.trials, seeds, strict=True)
        ]

    def best(self, count: int = 5, metric: str = "collective_return") -> list[dict[str, Any]]:
        """Return the settings of the best trials, with the mean and standard deviation of a metric over their seeds.

        A trial with a seed that failed or lacks the metric ranks behind all others. An unfinished sweep causes a warning,
        because its trials may be at different steps, and some may have no results.

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
        known = sorted(
            {name for group in self.member_metrics for name, x in group.metrics.items() if x.ndim == 2} - {*SHARED}
        )
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
        """Return the metrics of the best trials by label, for `influence_jax.plot_learning_curves`."""
        found, rows, settings = {}, self.best(count, metric), self.space.settings()
        for row, label in zip(rows, labels([settings[row["trial"]] for row in rows]), strict=True):
            parts = [
                {name: x[:, np.array(program.trials) == row["trial"]] for name, x in record.metrics.items()}
                for program, record in self.recorded
                if row["trial"] in program.trials
            ]
            found[label] = joined(parts)
        return found


def load(
    out: str | pathlib.Path, update: int | None = None, *, learner: Any = None, trust: bool = False
) -> Run | Sweep:
    """Load a run (see `influence_jax.runtime.run.load`) or a sweep with all of its runs.

    Args:
        out: its directory.
        update: which checkpoint of a run; the newest by default.
        learner: the learner of a run with parts of your own.
        trust: whether to import code from outside this package that it names.

    Raises:
        ConfigError: there is neither, it needs code that is not trusted, or ``update`` or ``learner`` is given for a sweep.

    Example:
        >>> run = influence_jax.load("runs/harvest-moa")
    """
    path = directory.checked_path(out)
    if not (path / "sweep.json").exists():
        return runs.load(out, update, learner=learner, trust=trust)
    for name, given in (("update", update), ("learner", learner)):
        if given is not None:
            shown = given if name == "update" else f"a {type(given).__name__}"
            raise ConfigError(
                f"{name} is {shown!s} for {str(path)!r}, which holds a sweep; allowed: the directory of one of its "
                f"runs, such as {str(program_directory(path, 0))!r}."
            )
    return load_sweep(path, trust)


def load_sweep(path: pathlib.Path, trust: bool) -> Sweep:
    """Read a sweep back; see `load`."""
    about = read_about(path)
    _, space, programs = trusted(path, about, trust)
    places = [program_directory(path, number) for number in range(len(programs))]
    updates = [max(Checkpoints(place).updates(), default=0) for place in places]
    begun = max((number for number, update in enumerate(updates, start=1) if update), default=0)
    for place, program, update in zip(places[:begun], programs, updates, strict=False):
        if (place / "config.json").exists():
            members = population.member_settings(program.learner, program.hyperparams)
            # A run may not have been extended yet, so its length may differ.
            directory.refuse_other_settings(place, program.learner, members, directory.CHANGEABLE)
        if not update and (place / "config.json").exists():
            raise ConfigError(
                f"{str(place)!r} has no checkpoints, which programs after it have; go on with the sweep "
                "(--resume), which trains it again."
            )
    records = list(map(record_of, places[:begun], programs))
    for number in about.get("pruned", []):
        if number < begun:
            records[number] = dataclasses.replace(records[number], pruned=True)
    return Sweep(space, programs, path, records)
