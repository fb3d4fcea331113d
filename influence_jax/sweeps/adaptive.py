"""A search in which Optuna chooses new trials based on the results of earlier ones."""

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
from influence_jax.sweeps.files import FORMAT_VERSION, exclusive, program_directory, read_about
from influence_jax.sweeps.plan import PlannedProgram, TrialBlock, listed_programs, make_programs
from influence_jax.sweeps.results import Record, Sweep, record_of
from influence_jax.sweeps.space import Draw, Space, is_traced, make_space
from influence_jax.sweeps.study import Study, import_optuna, open_study
from influence_jax.sweeps.sweep import StoppingAll, run_program


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
    """Let Optuna choose trials until its study has ``trials`` of them, each with ``config.seeds`` seeds.

    A round of trials is one program, compiled once. Several processes may share a study, each with its own directory; the result,
    and what `influence_jax.load` reads, contains the trials of this process. A trial fails if one of its seeds fails or lacks the
    metric; another trial then takes its place, until as many have failed as ``trials``. A trial whose process shows no sign of
    life for an hour also fails. A stop request ends the search after the current chunk, with a checkpoint.

    Args:
        experiment: what all trials have in common: the name of a preset, a configuration, or a learner without parts of your own.
        random: distributions of traced settings, as in `influence_jax.sweep`.
        storage: Optuna's URL of a database, such as ``"sqlite:///study.db"``, which processes may share.
        study: its name in the database; an existing study is continued if it measures the same.
        trials: total number of trials in the study.
        at_once: trials per round.
        metric: the metric to maximise: the mean over a trial's seeds at the end of the run.
        seed: of the sampler; each round also uses the number of trials in the study, so that processes sample differently.
        sampler: ``"package.module:name"`` of a sampler or of a function of ``seed=`` that returns one, such as
            ``"optuna.samplers:CmaEsSampler"``; Optuna's TPE by default.
        pruner: ``"package.module:name"`` of a pruner or of a function that returns one, such as
            ``"optuna.pruners:MedianPruner"``. It receives every log point. The trials of a round run together, so a round ends
            early only when all of its trials would be pruned.
        out: directory; ``programs/000`` and so on are the rounds.
        resume: continue the search in ``out``, if there is one; ``trials`` may be larger.
        devices: placement of members on devices.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, Optuna is not installed, its database cannot be reached, or ``out`` holds
            something else.
        FloatingPointError: as many trials failed as were requested.

    Example:
        >>> rates = {"learning_rate": "log:1e-4:1e-2"}
        >>> found = influence_jax.search(config, rates, storage="sqlite:///study.db", trials=2, out="runs/search")
    """
    path, how = directory.checked_path(out), Execution(resume=resume, devices=devices, callback=callback)
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
    found = Rounds(config, json.loads(json.dumps(about)), path, how)
    _refuse_unknown(metric, learner)
    with open_study(wanted, found.measured, found.numbers) as shared, exclusive(path), deferred_stop() as stop:
        found.run(shared, distributions, stop)
    return found.as_sweep()


class Rounds:
    """The rounds of a search, each of which is one program, and their record in its directory."""

    def __init__(self, config: ExperimentConfig, about: dict[str, Any], path: pathlib.Path, how: Execution):
        """Start a search, or continue the one in a directory.

        Raises:
            ConfigError: the directory holds something else.
        """
        self._config, self._about, self._wanted = config, about, about["search"]
        self._path, self._how = path, how
        # The study's numbers of each round's trials; the rounds that ended early; the settings of all trials.
        self.numbers, self._pruned, self._listed = [], [], []
        self._programs: list[PlannedProgram] = []
        self._records: list[Record] = []
        if how.resume and (path / "sweep.json").exists():
            self.numbers, self._pruned, self._listed = _before(path, about)
        else:
            directory.refuse_taken(path)

    @property
    def measured(self) -> dict[str, Any]:
        """What all trials of a study must have in common, whichever process trains them."""
        settings = directory.flatten(self._about["config"])
        settings = {path: value for path, value in settings.items() if path not in directory.CHANGEABLE}
        return settings | {"metric": self._wanted["metric"], "random": self._wanted["random"]}

    def run(self, study: Study, distributions: Mapping[str, Any], stop: threading.Event) -> None:
        """Ask for trials, train them and report their results, until there are enough or a stop is requested."""
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
        """Return the results of the search so far."""
        return Sweep(self._space, self._programs, self._path, self._records)

    @property
    def _space(self) -> Space:
        return Space(listed=tuple(self._listed))

    def _note(self) -> None:
        """Write ``sweep.json``."""
        parts = {"space": self._space.to_json(), "rounds": self.numbers, "pruned": self._pruned}
        programs = {"programs": listed_programs(self._programs)}
        write_json(self._path / "sweep.json", self._about | parts | programs)

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
        """Train the last program, which is that of a round, unless the round ended early before."""
        numbers, program, place = self.numbers[number], self._programs[-1], program_directory(self._path, number)
        watch = study.watch(numbers, self._wanted["metric"], StoppingAll(self._how.callback, stop))
        try:
            with study.alive(numbers):
                if number in self._pruned:
                    record = record_of(place, program)
                else:
                    record = run_program(program, place, dataclasses.replace(self._how, callback=watch))
        except BaseException:
            if not (place / "config.json").exists():  # there is nothing to continue
                study.tell(numbers, {})
            raise
        if watch.pruned:
            self._pruned.append(number)
            self._note()
        self._records.append(dataclasses.replace(record, pruned=number in self._pruned))

    def _tell(self, numbers: list[int], first: int, study: Study) -> None:
        """Report the results of the last program's trials, the first of which is ``first``.

        Raises:
            FloatingPointError: as many trials failed as were requested.
        """
        metric, record = self._wanted["metric"], self._records[-1]
        best = Sweep(self._space, self._programs[-1:], self._path, [record]).best(len(numbers), metric)
        values = {numbers[row["trial"] - first]: row[metric] for row in best}
        study.tell(numbers, values, pruned=record.pruned)
        failed = study.failed(list(itertools.chain(*self.numbers)))
        if failed >= self._wanted["trials"]:
            raise FloatingPointError(
                f"{failed} trials failed, as many as are wanted: of each some seed learns no more, or has no {metric} in the "
                "end (for what is per episode, one must end within the last log points)."
            )


def _before(path: pathlib.Path, about: dict[str, Any]) -> tuple[list, list, list]:
    """Return the rounds in a directory, if it holds the same search."""
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
    """Return what a search must have in common with the one that it continues."""
    asked = {name: value for name, value in about["search"].items() if name not in ("trials", "at_once")}
    return directory.flatten(about["config"]) | asked


def _text(name: str, value: Any, allowed: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} is {value!r}; allowed: {allowed}.")
    return value


def _distribution(name: str, draw: Draw) -> Any:
    """Return Optuna's object for a distribution."""
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
    """Refuse distributions with values that are not allowed, by checking both ends or every choice."""
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
