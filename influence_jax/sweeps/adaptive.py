"""A search in which Optuna chooses the next trials by how the former ones did."""

import dataclasses
import functools
import itertools
import json
import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError, ExperimentConfig, to_dict
from influence_jax.learner import train
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.platforms import usual_tracing
from influence_jax.runtime import directory
from influence_jax.runtime import run as runs
from influence_jax.runtime.checkpoint import differences
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.files import write_json
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.run import Execution
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import INT32_MAX, Integers, checked, nearest, whole_number
from influence_jax.sweeps.files import FORMAT_VERSION, claimed, place_of, read_about
from influence_jax.sweeps.plan import PlannedProgram, TrialBlock, listed_programs, make_programs
from influence_jax.sweeps.results import Record, Sweep, record_of
from influence_jax.sweeps.space import Draw, Space, is_traced, make_space
from influence_jax.sweeps.study import Study, import_optuna, opened
from influence_jax.sweeps.sweep import ends_all, run_program


def search(
    experiment: str | ExperimentConfig | Learner,
    random: Mapping[str, str],
    *,
    storage: str,
    study: str = "influence_jax",
    trials: int = 64,
    at_once: int = 8,
    metric: str = "collective_return",
    seed: int = 0,
    sampler: str | None = None,
    pruner: str | None = None,
    out: str | pathlib.Path,
    resume: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Sweep:
    """Let Optuna choose trials until its study has so many, each with ``config.seeds`` seeds.

    A round of trials is one program, compiled once. Any number of processes may search in one study at a time, each in a
    directory of its own; what is returned, and what `influence_jax.load` reads, are the trials of this one. A trial a seed of
    which failed or lacks the metric has failed, and another one is asked for, until as many have failed as ``trials``. A trial of
    a process that shows no sign of life for an hour is let go as failed. A request to stop ends the search after the current
    chunk, with a checkpoint.

    Args:
        experiment: what all trials have in common: the name of a preset, a configuration, or a learner without parts of your own.
        random: distributions of settings that are traced, as in `influence_jax.sweep`.
        storage: Optuna's URL of a data base, such as ``"sqlite:///study.db"``, which many processes may share.
        study: its name in there; it goes on where it exists, if it measures the same.
        trials: of the study in all.
        at_once: trials in a round.
        metric: what is to be large; of each trial the mean over its seeds at the end of the run.
        seed: of the sampler; in each round it depends on how many trials the study has, so that processes draw different ones.
        sampler: ``"package.module:name"`` of a sampler, or of what returns one for ``seed=``, such as
            ``"optuna.samplers:CmaEsSampler"``; Optuna's TPE by default.
        pruner: ``"package.module:name"`` of a pruner, or of what returns one, such as ``"optuna.pruners:MedianPruner"``. It is
            told each log point. The trials of a round go on together: a round ends early when all of its trials would be pruned.
        out: directory, in which ``programs/000`` and so on are the rounds.
        resume: go on with the search in ``out``, if there is one; it may have more ``trials``.
        devices: how members are laid over devices.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, Optuna is not installed, its data base cannot be reached, or ``out`` does not fit.
        FloatingPointError: as many trials failed as were wanted.

    Example:
        >>> rates = {"learning_rate": "log:1e-4:1e-2"}
        >>> influence_jax.search(config, rates, storage="sqlite:///study.db", out="runs/search").best(1)
    """
    how = Execution(directory.checked_path(out), resume=resume, devices=devices, callback=callback)
    config = runs.config_of(experiment)
    wanted = {
        "storage": _text("storage", storage, "the URL of a data base, such as 'sqlite:///study.db'"),
        "study": _text("study", study, "the name of a study"),
        "trials": checked("trials", whole_number(trials), Integers(1)),
        "at_once": checked("at_once", whole_number(at_once), Integers(1)),
        "metric": _text("metric", metric, "the name of a number that is logged, such as 'collective_return'"),
        "seed": checked("seed", whole_number(seed), Integers(0, INT32_MAX)),
        "sampler": sampler if sampler is None else _text("sampler", sampler, "'package.module:name' of a sampler"),
        "pruner": pruner if pruner is None else _text("pruner", pruner, "'package.module:name' of a pruner"),
    }
    learner, draws = make_learner(config), make_space(config, random=random).random
    distributions = {name: _distribution(name, draw) for name, draw in draws.items()}
    _refuse_ends(config, draws)
    wanted |= {"random": {name: str(draw) for name, draw in draws.items()}}
    about = {"format_version": FORMAT_VERSION, "config": to_dict(learner.config), "search": wanted}
    found = Rounds(config, json.loads(json.dumps(about)), how)
    _refuse_unknown(metric, learner)
    with opened(wanted, found.measured, found.numbers) as study, claimed(how.path), deferred_stop() as stop:
        found.run(study, distributions, stop)
    return found.as_sweep()


class Rounds:
    """The rounds of a search, each of which is one program, and what its directory says of them."""

    def __init__(self, config: ExperimentConfig, about: dict[str, Any], how: Execution):
        """Begin, or go on with the search of a directory.

        Raises:
            ConfigError: there is something else in it.
        """
        self._config, self._about, self._how, self._wanted = config, about, how, about["search"]
        # Of each round the study's numbers of its trials; the rounds that ended early; the settings of all trials.
        self.numbers, self._pruned, self._listed = [], [], []
        self._programs: list[PlannedProgram] = []
        self._records: list[Record] = []
        if how.resume and (how.path / "sweep.json").exists():
            self.numbers, self._pruned, self._listed = _before(how.path, about)
        else:
            directory.refuse_taken(how.path)

    @property
    def measured(self) -> dict[str, Any]:
        """What the trials of a study are to have in common, whoever trains them."""
        settings = directory.flatten(self._about["config"])
        settings = {path: value for path, value in settings.items() if path not in directory.FREE}
        return settings | {"metric": self._wanted["metric"], "random": self._wanted["random"]}

    def run(self, study: Study, distributions: Mapping[str, Any], stop: threading.Event) -> None:
        """Ask for trials, train them and tell how they did, until there are as many as wanted, or somebody asks to stop."""
        for number in itertools.count():
            if stop.is_set():
                return
            asked = number == len(self.numbers)
            if asked and not self._ask(study, distributions):
                return
            numbers, first = self.numbers[number], sum(map(len, self.numbers[:number]))
            seeds = range(self._config.seed, self._config.seed + self._config.seeds)
            trials = TrialBlock(range(first, first + len(numbers)), seeds)
            self._programs += make_programs(self._config, self._space, [trials])
            if asked:
                self._note()
            self._train(number, study, stop)
            if not self._records[-1].ended(self._programs[-1]):
                return
            self._tell(numbers, first, study)

    def as_sweep(self) -> Sweep:
        """Return the search as far as it got."""
        return Sweep(self._space, self._programs, self._how.path, self._records)

    @property
    def _space(self) -> Space:
        return Space(listed=tuple(self._listed))

    def _note(self) -> None:
        """Write ``sweep.json``."""
        parts = {"space": self._space.to_json(), "rounds": self.numbers, "pruned": self._pruned}
        programs = {"programs": listed_programs(self._programs)}
        write_json(self._how.path / "sweep.json", self._about | parts | programs)

    def _ask(self, study: Study, distributions: Mapping[str, Any]) -> bool:
        """Ask for the trials of another round; return whether there are any left."""
        wanted = self._wanted
        asked = study.ask(distributions, wanted["at_once"], wanted["trials"])
        if not asked and not self.numbers:
            raise ConfigError(
                f"trials is {wanted['trials']}, and the study {wanted['study']!r} has as many; allowed: more."
            )
        if asked:
            self.numbers.append([trial.number for trial in asked])
            self._listed += [trial.params for trial in asked]
        return bool(asked)

    def _train(self, number: int, study: Study, stop: threading.Event) -> None:
        """Train the last program, that of a round, unless the round ended early before."""
        numbers, program, place = self.numbers[number], self._programs[-1], place_of(self._how.path, number)
        watch = study.watch(numbers, self._wanted["metric"], ends_all(self._how.callback, stop))
        try:
            with study.alive(numbers):
                if number in self._pruned:
                    record = record_of(place, program)
                else:
                    record = run_program(program, place, dataclasses.replace(self._how, callback=watch))
        except BaseException:
            if not (place / "config.json").exists():  # there is nothing to go on with
                study.tell(numbers, {})
            raise
        if watch.pruned:
            self._pruned.append(number)
            self._note()
        self._records.append(dataclasses.replace(record, pruned=number in self._pruned))

    def _tell(self, numbers: list[int], first: int, study: Study) -> None:
        """Tell how the trials of the last program did, of which ``first`` is the first.

        Raises:
            FloatingPointError: as many trials failed as were wanted.
        """
        metric, record = self._wanted["metric"], self._records[-1]
        best = Sweep(self._space, self._programs[-1:], self._how.path, [record]).best(len(numbers), metric)
        values = {numbers[row["trial"] - first]: row[metric] for row in best}
        study.tell(numbers, values, pruned=record.pruned)
        failed = study.failed(list(itertools.chain(*self.numbers)))
        if failed >= self._wanted["trials"]:
            raise FloatingPointError(
                f"{failed} trials failed, as many as are wanted: of each some seed learns no more, or has no {metric} in the "
                "end (for what is per episode, one must end within the last log points)."
            )


def _before(path: pathlib.Path, about: dict[str, Any]) -> tuple[list, list, list]:
    """Return what rounds there are in a directory, if it holds the same search."""
    before = read_about(path)
    try:
        different = differences(_fixed(about), _fixed(before))
        rounds, pruned, listed = before["rounds"], before["pruned"], before["space"]["listed"]
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{str(path / 'sweep.json')!r} holds no search ({problem}); allowed: what `search` writes."
        ) from None
    if different:
        raise ConfigError(
            f"{str(path)!r} holds another search: {'; '.join(different)}; allowed: the same settings, with more trials."
        )
    return rounds, pruned, listed


def _fixed(about: dict[str, Any]) -> dict[str, Any]:
    """Return what a search is to have in common with the one that it goes on with."""
    asked = {name: value for name, value in about["search"].items() if name not in ("trials", "at_once")}
    return directory.flatten(about["config"]) | asked


def _text(name: str, value: Any, allowed: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} is {value!r}; allowed: {allowed}.")
    return value


def _distribution(name: str, draw: Draw) -> Any:
    """Return Optuna's word for a distribution."""
    if not is_traced(name):
        raise ConfigError(
            f"random has {name}, by which programs differ; allowed with optuna: hyper-parameters and environment parameters."
        )
    of = import_optuna().distributions
    if draw.kind != "choice":
        return of.FloatDistribution(*draw.values, log=draw.kind == "log")
    if not all(isinstance(value, bool | int | float) for value in draw.values):
        raise ConfigError(f"random {name} is {str(draw)!r}; allowed with optuna: choices of single numbers.")
    return of.CategoricalDistribution(draw.values)


def _refuse_ends(config: ExperimentConfig, draws: Mapping[str, Draw]) -> None:
    """Refuse values that may be drawn and are not allowed: both ends of a distribution, or every choice."""
    most = max(len(draw.values) for draw in draws.values())
    ends = [{name: draw.values[i % len(draw.values)] for name, draw in draws.items()} for i in range(most)]
    make_programs(config, Space(listed=tuple(ends)), [TrialBlock(range(most), [config.seed])])


@usual_tracing()
@functools.lru_cache(maxsize=2)  # it traces an update
def _scalar_metrics(learner: Learner) -> list[str]:
    state = jax.eval_shape(lambda: train.init(learner, jax.random.key(0)))
    _, metrics = jax.eval_shape(functools.partial(train.train_step, learner), state, jnp.float32(0))
    return sorted(name for name, x in metrics.items() if not x.shape)


def _refuse_unknown(metric: str, learner: Learner) -> None:
    names = _scalar_metrics(learner.template)
    if metric not in names:
        raise ConfigError(f"metric is {metric!r}; allowed: {', '.join(names)}.{nearest(metric, names)}")
