"""A search in which Optuna chooses the next trials by how the former ones did."""

import contextlib
import dataclasses
import functools
import itertools
import json
import math
import pathlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import INT32_MAX, Integers, built, checked, implementation, nearest, whole_number
from influence_jax.sweeps.plan import Part, Program, listed_programs, make_programs
from influence_jax.sweeps.space import Draw, Space, is_traced, make_space
from influence_jax.sweeps.sweep import (
    FORMAT_VERSION,
    Record,
    Sweep,
    ends_all,
    give_back,
    place_of,
    read_about,
    record_of,
    run_program,
)

HEARTBEAT = 60  # seconds between signs of life of a trial that is trained
GRACE = 3600  # seconds without one after which a trial is let go
NOTE = "influence_jax"  # the attribute of a study that says what its trials measure


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
    runs.check_arguments(devices, callback, resume=resume)
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
    path, learner = directory.checked_path(out), make_learner(config)
    draws = make_space(config, random=random).random
    asked_for = {name: _distribution(name, draw) for name, draw in draws.items()}
    _refuse_ends(config, draws)
    about = {"format_version": FORMAT_VERSION, "config": to_dict(learner.config)}
    about |= {"search": wanted | {"random": {name: str(draw) for name, draw in draws.items()}}}
    about = json.loads(json.dumps(about))
    resume = resume and (path / "sweep.json").exists()
    if not resume:
        directory.refuse_taken(path)
    # Of each round the study's numbers of its trials, and of the rounds that ended early theirs; the settings of all trials.
    rounds, pruned, listed = _before(path, about) if resume else ([], [], [])
    _refuse_unknown(metric, learner)
    existed, seeds = path.exists(), range(config.seed, config.seed + config.seeds)
    programs: list[Program] = []
    records: list[Record] = []

    def note() -> None:
        parts = {"space": Space(listed=tuple(listed)).to_json(), "rounds": rounds, "pruned": pruned}
        write_json(path / "sweep.json", about | parts | {"programs": listed_programs(programs)})

    with contextlib.ExitStack() as at_the_end:
        chosen = at_the_end.enter_context(_opened(wanted, _measured(about), rounds))
        at_the_end.enter_context(directory.locked(path))
        stop = at_the_end.enter_context(deferred_stop())
        if not resume:
            at_the_end.callback(give_back, path, existed)
        for number in itertools.count():
            if stop.is_set():
                break
            if fresh := number == len(rounds):
                asked = chosen.ask(asked_for, wanted["at_once"], wanted["trials"])
                if not asked and not rounds:
                    raise ConfigError(f"trials is {trials}, and the study {study!r} has as many; allowed are more.")
                if not asked:
                    break
                rounds.append([trial.number for trial in asked])
                listed += [trial.params for trial in asked]
            numbers, first = rounds[number], sum(map(len, rounds[:number]))
            space, place = Space(listed=tuple(listed)), place_of(path, number)
            programs += make_programs(config, space, [Part(range(first, first + len(numbers)), seeds)])
            if fresh:
                note()
            program, watch = programs[-1], chosen.watch(numbers, metric, ends_all(callback, stop))
            try:
                with chosen.alive(numbers):
                    over = number in pruned
                    records.append(record_of(place, program) if over else run_program(program, place, devices, watch))
            except BaseException:
                if not (place / "config.json").exists():  # there is nothing to go on with
                    chosen.tell(numbers, {})
                raise
            if watch.pruned:
                pruned.append(number)
                note()
            records[-1] = dataclasses.replace(records[-1], pruned=number in pruned)
            if not records[-1].ended(program):
                break
            found = Sweep(space, [program], path, records[-1:]).best(len(numbers), metric)
            values = {numbers[row["trial"] - first]: row[metric] for row in found}
            chosen.tell(numbers, values, pruned=records[-1].pruned)
            if (failed := chosen.failed(list(itertools.chain(*rounds)))) >= wanted["trials"]:
                raise FloatingPointError(
                    f"{failed} trials failed, as many as are wanted: of each some seed learns no more, or has no {metric} in the "
                    "end (for what is per episode, one must end within the last log points)."
                )
    return Sweep(Space(listed=tuple(listed)), programs, path, records)


def _before(path: pathlib.Path, about: dict[str, Any]) -> tuple[list, list, list]:
    """Return what rounds there are in a directory, if it holds the same search."""
    before = read_about(path)
    try:
        different = differences(_fixed(about), _fixed(before))
        rounds, pruned, listed = before["rounds"], before["pruned"], before["space"]["listed"]
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{str(path / 'sweep.json')!r} holds no search ({problem}); allowed is what `search` writes."
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


def _measured(about: dict[str, Any]) -> dict[str, Any]:
    """Return what the trials of a study are to have in common, whoever trains them."""
    settings = {path: value for path, value in directory.flatten(about["config"]).items() if path not in directory.FREE}
    return settings | {"metric": about["search"]["metric"], "random": about["search"]["random"]}


class _Study:
    """Optuna's study, of whose data base every word may fail."""

    def __init__(self, study: Any, storage: Any, wanted: Mapping[str, Any]):
        self._study, self._storage, self._wanted = study, storage, wanted

    def ask(self, distributions: Mapping[str, Any], count: int, trials: int) -> list[Any]:
        """Ask for ``count`` trials, or as many as the study has too few of; those of processes that are gone are let go."""
        states, asked = _optuna().trial.TrialState, []

        def left() -> int:
            known = (states.COMPLETE, states.PRUNED, states.RUNNING)
            return trials - len(self._study.get_trials(deepcopy=False, states=known))

        with self._explained():
            _patiently(functools.partial(_optuna().storages.fail_stale_trials, self._study))
            self._study.sampler = _sampler(self._wanted, len(_patiently(self._study.get_trials)))
            try:
                for _ in range(min(count, _patiently(left))):
                    asked.append(_patiently(functools.partial(self._study.ask, distributions)))
                    # Or this trial would never be let go, if this process ended before `alive`.
                    _patiently(functools.partial(self._storage.record_heartbeat, asked[-1]._trial_id))
            except BaseException:
                self.tell([trial.number for trial in asked], {})
                raise
        return asked

    def tell(self, numbers: list[int], values: Mapping[int, float], pruned: bool = False) -> None:
        """Say how the trials of a round did, unless that was said before; those without a finite value failed."""
        states = _optuna().trial.TrialState
        for number in numbers:
            value = values.get(number, math.nan)
            known = math.isfinite(value) and not pruned
            state = states.PRUNED if pruned else None if known else states.FAIL
            with self._explained():
                _patiently(
                    functools.partial(self._study.tell, number, value if known else None, state, skip_if_finished=True)
                )

    def failed(self, numbers: list[int]) -> int:
        """Return how many of these trials failed."""
        with self._explained():
            failed = _patiently(
                lambda: self._study.get_trials(deepcopy=False, states=(_optuna().trial.TrialState.FAIL,))
            )
        return len({trial.number for trial in failed} & {*numbers})

    @contextlib.contextmanager
    def alive(self, numbers: list[int]) -> Iterator[None]:
        """Show a sign of life of these trials now and then."""
        over = threading.Event()
        with self._explained():
            known = {trial.number: trial._trial_id for trial in _patiently(self._study.get_trials)}

        def beat() -> None:
            while True:
                for number in numbers:
                    with contextlib.suppress(Exception):  # the data base is locked, or gone; there is a next time
                        self._storage.record_heartbeat(known[number])
                if over.wait(HEARTBEAT):
                    self._storage.remove_session()  # that of this thread
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def watch(self, numbers: list[int], metric: str, callback: Callable[[LogPoint], None] | None) -> "_Watch":
        """Return a callback that reports to the pruner, if there is one, and then calls another one."""
        return _Watch(self, numbers, metric, callback)

    def report(self, numbers: list[int], values: np.ndarray, step: int) -> bool:
        """Report what the trials of a round measure by now, ``f[trials]``; return whether all of them would be pruned."""
        if self._wanted["pruner"] is None:
            return False
        with self._explained():
            trials = [
                _optuna().trial.Trial(self._study, trial._trial_id)
                for trial in _patiently(self._study.get_trials)
                if trial.number in numbers
            ]
            for trial, value in zip(trials, values.tolist(), strict=True):
                if math.isfinite(value):
                    _patiently(functools.partial(trial.report, value, step))
            return all([_patiently(trial.should_prune) for trial in trials])

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in a sentence what the data base does not do."""
        try:
            yield
        except (ConfigError, KeyboardInterrupt):
            raise
        except Exception as error:  # of data bases there are many kinds
            raise _unreachable(self._wanted, error) from error


class _Watch:
    """Reports each log point of a round, and ends the round early when all of its trials would be pruned."""

    def __init__(self, study: _Study, numbers: list[int], metric: str, callback: Callable[[LogPoint], None] | None):
        self._study, self._numbers, self._metric, self._callback = study, numbers, metric, callback
        self.pruned = False

    def __call__(self, point: LogPoint) -> None:
        if self._callback is not None:
            self._callback(point)
        values = point.metrics[self._metric].reshape(len(self._numbers), -1).mean(axis=1)
        self.pruned = point.update < point.num_updates and self._study.report(self._numbers, values, point.update)
        if self.pruned:
            raise KeyboardInterrupt


def _sampler(wanted: Mapping[str, Any], trials: int) -> Any:
    """Return the sampler of a round that begins when the study has so many trials."""
    samplers = _optuna().samplers
    seed = int(np.random.SeedSequence([wanted["seed"], trials]).generate_state(1)[0])
    if wanted["sampler"] is None:
        return samplers.TPESampler(constant_liar=True, seed=seed)
    return _own("sampler", wanted["sampler"], samplers.BaseSampler, seed=seed)


def _own(name: str, path: str, kind: type, **arguments: Any) -> Any:
    """Return an object that a path names, or what that makes of the arguments."""
    found = implementation(name, path, {}, (kind, Callable))
    return found if isinstance(found, kind) else built(f"{name} {path!r}", lambda: found(**arguments), kind)


def _text(name: str, value: Any, allowed: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} is {value!r}; allowed: {allowed}.")
    return value


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "optuna is not installed, which chooses trials; allowed is to install it: pip install 'influence_jax[optuna]'."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(name: str, draw: Draw) -> Any:
    """Return Optuna's word for a distribution."""
    if not is_traced(name):
        raise ConfigError(
            f"random has {name}, by which programs differ; allowed with optuna are hyper-parameters and environment parameters."
        )
    of = _optuna().distributions
    if draw.kind != "choice":
        return of.FloatDistribution(*draw.values, log=draw.kind == "log")
    if not all(isinstance(value, bool | int | float) for value in draw.values):
        raise ConfigError(f"random {name} is {str(draw)!r}; allowed with optuna are choices of single numbers.")
    return of.CategoricalDistribution(draw.values)


@contextlib.contextmanager
def _opened(wanted: Mapping[str, Any], measured: dict[str, Any], rounds: list[list[int]]) -> Iterator[_Study]:
    """Open a study, a new one where there is none. Trials that are under way elsewhere count as bad until they are done.

    Args:
        wanted: what it is called, and how it chooses.
        measured: what all its trials have in common.
        rounds: the trials in there that are this search's own.

    Raises:
        ConfigError: it cannot be opened, holds trials of something else, or lacks those of this search.
    """
    optuna = _optuna()
    pruner = optuna.pruners.NopPruner()
    if wanted["pruner"] is not None:
        pruner = _own("pruner", wanted["pruner"], optuna.pruners.BasePruner)
    options = {"study_name": wanted["study"], "sampler": _sampler(wanted, 0), "pruner": pruner}
    with contextlib.ExitStack() as at_the_end:
        try:
            beats = {"heartbeat_interval": HEARTBEAT, "grace_period": GRACE}
            backend = _patiently(lambda: optuna.storages.RDBStorage(wanted["storage"], **beats))
            at_the_end.callback(lambda: (backend.remove_session(), backend.engine.dispose()))
            there = {found.study_name for found in _patiently(lambda: optuna.get_all_study_summaries(backend))}
            if rounds and wanted["study"] not in there:
                raise ConfigError(
                    f"study is {wanted['study']!r}, which is gone from {wanted['storage']!r}; allowed is the study with which "
                    "the search began, or a search in another directory."
                )
            new = {"direction": "maximize", "load_if_exists": True}
            found = _patiently(lambda: optuna.create_study(storage=backend, **options, **new))
            trials = {trial.number for trial in _patiently(found.get_trials)}
            if not trials and NOTE not in found.user_attrs:
                _patiently(lambda: found.set_user_attr(NOTE, measured))
            noted = found.user_attrs.get(NOTE, {})
        except ConfigError:
            raise
        except Exception as error:  # of data bases there are many kinds
            raise _unreachable(wanted, error) from error
        different = differences(measured, noted) if noted else ["it was begun by something else"]
        if different:
            raise ConfigError(
                f"study is {wanted['study']!r}, whose trials measure something else: {'; '.join(different)}; allowed: a study of "
                "the same settings and distributions, or a new one."
            )
        if missing := sorted({*itertools.chain(*rounds)} - trials):
            raise ConfigError(
                f"study is {wanted['study']!r}, which lacks the trials {missing} of this search; allowed is the study with which "
                "it began, or a search in another directory."
            )
        yield _Study(found, backend, wanted)


def _unreachable(wanted: Mapping[str, Any], error: Exception) -> ConfigError:
    problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return ConfigError(
        f"storage is {wanted['storage']!r}, which cannot be used with study {wanted['study']!r} ({problem}); allowed is the URL "
        "of a data base that can be reached, such as sqlite:///study.db; what was trained is kept, and --resume goes on."
    )


def _patiently(action: Callable[[], Any]) -> Any:
    """Try several times: processes that share a data base are in each other's way, most of all while it is laid out."""
    from sqlalchemy.exc import DBAPIError

    errors = _optuna().exceptions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.ExperimentalWarning)  # signs of life are, and we give our own
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used with Study.optimize")
        for _ in range(5):
            with contextlib.suppress(DBAPIError, errors.StorageInternalError):
                return action()
            time.sleep(np.random.default_rng().uniform(0.1, 1))
        return action()


def _refuse_ends(config: ExperimentConfig, draws: Mapping[str, Draw]) -> None:
    """Refuse values that may be drawn and are not allowed: both ends of a distribution, or every choice."""
    most = max(len(draw.values) for draw in draws.values())
    ends = [{name: draw.values[i % len(draw.values)] for name, draw in draws.items()} for i in range(most)]
    make_programs(config, Space(listed=tuple(ends)), [Part(range(most), [config.seed])])


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
