"""An Optuna study in a database, where every call may fail."""

import contextlib
import functools
import itertools
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from influence_jax.config import ConfigError
from influence_jax.runtime.checkpoint import differences
from influence_jax.runtime.loop import LogPoint
from influence_jax.settings import built, implementation

HEARTBEAT = 60  # seconds between signs of life of a running trial
GRACE = 3600  # seconds without one after which a trial fails
NOTE = "influence_jax"  # the study's attribute that records what its trials measure


class Study:
    """Optuna's study in a database, where every call may fail."""

    def __init__(self, study: Any, storage: Any, wanted: Mapping[str, Any]):
        self._study, self._storage, self._wanted = study, storage, wanted

    def ask(self, distributions: Mapping[str, Any], count: int, trials: int) -> list[Any]:
        """Ask for ``count`` trials, or for as many as the study lacks, after failing the trials of processes that are gone."""
        states, asked = import_optuna().trial.TrialState, []

        def left() -> int:
            known = (states.COMPLETE, states.PRUNED, states.RUNNING)
            return trials - len(self._study.get_trials(deepcopy=False, states=known))

        with self._explained():
            with_retries(functools.partial(import_optuna().storages.fail_stale_trials, self._study))
            self._study.sampler = _sampler(self._wanted, len(with_retries(self._study.get_trials)))
            try:
                for _ in range(min(count, with_retries(left))):
                    asked.append(with_retries(functools.partial(self._study.ask, distributions)))
                    # Otherwise this trial would never fail if the process ended before `alive`.
                    with_retries(functools.partial(self._storage.record_heartbeat, asked[-1]._trial_id))
            except BaseException:
                self.tell([trial.number for trial in asked], {})
                raise
        return asked

    def tell(self, numbers: list[int], values: Mapping[int, float], pruned: bool = False) -> None:
        """Report the results of a round's trials, unless already reported; those without a finite value have failed."""
        states = import_optuna().trial.TrialState
        for number in numbers:
            value = values.get(number, math.nan)
            known = math.isfinite(value) and not pruned
            state = states.PRUNED if pruned else None if known else states.FAIL
            with self._explained():
                with_retries(
                    functools.partial(self._study.tell, number, value if known else None, state, skip_if_finished=True)
                )

    def failed(self, numbers: list[int]) -> int:
        """Return how many of these trials failed."""
        with self._explained():
            failed = with_retries(
                lambda: self._study.get_trials(deepcopy=False, states=(import_optuna().trial.TrialState.FAIL,))
            )
        return len({trial.number for trial in failed} & {*numbers})

    @contextlib.contextmanager
    def alive(self, numbers: list[int]) -> Iterator[None]:
        """Show a sign of life of these trials from time to time."""
        over = threading.Event()
        with self._explained():
            known = {trial.number: trial._trial_id for trial in with_retries(self._study.get_trials)}

        def beat() -> None:
            while True:
                for number in numbers:
                    with contextlib.suppress(Exception):  # the database is locked or gone; try again next time
                        self._storage.record_heartbeat(known[number])
                if over.wait(HEARTBEAT):
                    self._storage.remove_session()  # of this thread
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def watch(self, numbers: list[int], metric: str, callback: Callable[[LogPoint], None] | None) -> "Watch":
        """Return a callback that reports to the pruner, if there is one, and then calls another callback."""
        return Watch(self, numbers, metric, callback)

    def report(self, numbers: list[int], values: np.ndarray, step: int) -> bool:
        """Report the current values of a round's trials, ``f[trials]``; return whether all of them would be pruned."""
        if self._wanted["pruner"] is None:
            return False
        with self._explained():
            trials = [
                import_optuna().trial.Trial(self._study, trial._trial_id)
                for trial in with_retries(self._study.get_trials)
                if trial.number in numbers
            ]
            for trial, value in zip(trials, values.tolist(), strict=True):
                if math.isfinite(value):
                    with_retries(functools.partial(trial.report, value, step))
            return all([with_retries(trial.should_prune) for trial in trials])

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the database into a sentence."""
        try:
            yield
        except (ConfigError, KeyboardInterrupt):
            raise
        except Exception as error:  # every database raises errors of its own
            raise _unreachable(self._wanted, error) from error


class Watch:
    """Reports each log point of a round, and ends the round early when all of its trials would be pruned."""

    def __init__(self, study: Study, numbers: list[int], metric: str, callback: Callable[[LogPoint], None] | None):
        self._study, self._numbers, self._metric, self._callback = study, numbers, metric, callback
        self.begin = getattr(callback, "begin", None)
        self.pruned = False

    def __call__(self, point: LogPoint) -> None:
        """Report a log point."""
        if self._callback is not None:
            self._callback(point)
        values = point.metrics[self._metric].reshape(len(self._numbers), -1).mean(axis=1)
        self.pruned = point.update < point.num_updates and self._study.report(self._numbers, values, point.update)
        if self.pruned:
            raise KeyboardInterrupt


def _sampler(wanted: Mapping[str, Any], trials: int) -> Any:
    """Return the sampler of a round that starts when the study has this many trials."""
    samplers = import_optuna().samplers
    seed = int(np.random.SeedSequence([wanted["seed"], trials]).generate_state(1)[0])
    if wanted["sampler"] is None:
        return samplers.TPESampler(constant_liar=True, seed=seed)
    return _own("sampler", wanted["sampler"], samplers.BaseSampler, seed=seed)


def _own(name: str, path: str, kind: type, **arguments: Any) -> Any:
    """Return the object at a path, or the result of calling it with the arguments."""
    found = implementation(name, path, {}, (kind, Callable))
    return found if isinstance(found, kind) else built(f"{name} {path!r}", lambda: found(**arguments), kind)


def import_optuna() -> Any:
    """Return Optuna.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "optuna, which chooses trials, is not installed; install it: pip install 'influence_jax[optuna]'."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@contextlib.contextmanager
def open_study(wanted: Mapping[str, Any], measured: dict[str, Any], rounds: list[list[int]]) -> Iterator[Study]:
    """Open a study, creating it if necessary. Trials that run elsewhere count as bad until they are done.

    Args:
        wanted: its name and how it chooses.
        measured: what all its trials have in common.
        rounds: this search's own trials in the study.

    Raises:
        ConfigError: it cannot be opened, holds trials of something else, or lacks those of this search.
    """
    optuna = import_optuna()
    pruner = optuna.pruners.NopPruner()
    if wanted["pruner"] is not None:
        pruner = _own("pruner", wanted["pruner"], optuna.pruners.BasePruner)
    options = {"study_name": wanted["study"], "sampler": _sampler(wanted, 0), "pruner": pruner}
    with contextlib.ExitStack() as at_the_end:
        try:
            beats = {"heartbeat_interval": HEARTBEAT, "grace_period": GRACE}
            backend = with_retries(lambda: optuna.storages.RDBStorage(wanted["storage"], **beats))
            at_the_end.callback(lambda: (backend.remove_session(), backend.engine.dispose()))
            there = {found.study_name for found in with_retries(lambda: optuna.get_all_study_summaries(backend))}
            if rounds and wanted["study"] not in there:
                raise ConfigError(
                    f"study is {wanted['study']!r}, which is gone from {wanted['storage']!r}; allowed: the study with which "
                    "the search began, or a search in another directory."
                )
            new = {"direction": "maximize", "load_if_exists": True}
            found = with_retries(lambda: optuna.create_study(storage=backend, **options, **new))
            trials = {trial.number for trial in with_retries(found.get_trials)}
            if not trials and NOTE not in found.user_attrs:
                with_retries(lambda: found.set_user_attr(NOTE, measured))
            noted = found.user_attrs.get(NOTE, {})
        except ConfigError:
            raise
        except Exception as error:  # every database raises errors of its own
            raise _unreachable(wanted, error) from error
        different = differences(measured, noted) if noted else ["it was begun by something else"]
        if different:
            raise ConfigError(
                f"study is {wanted['study']!r}, whose trials measure something else: {'; '.join(different)}; allowed: a study of "
                "the same settings and distributions, or a new one."
            )
        if missing := sorted({*itertools.chain(*rounds)} - trials):
            raise ConfigError(
                f"study is {wanted['study']!r}, which lacks the trials {missing} of this search; allowed: the study with which "
                "it began, or a search in another directory."
            )
        yield Study(found, backend, wanted)


def _unreachable(wanted: Mapping[str, Any], error: Exception) -> ConfigError:
    problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return ConfigError(
        f"storage is {wanted['storage']!r}, which cannot be used with study {wanted['study']!r} ({problem}); allowed: the URL "
        "of a data base that can be reached, such as sqlite:///study.db; what was trained is kept, and --resume goes on."
    )


def with_retries(action: Callable[[], Any]) -> Any:
    """Call ``action`` several times if necessary: processes that share a database collide, especially while it is created."""
    from sqlalchemy.exc import DBAPIError

    errors = import_optuna().exceptions
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", errors.ExperimentalWarning
        )  # Optuna's heartbeats are experimental, and we send our own
        warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used with Study.optimize")
        for _ in range(5):
            with contextlib.suppress(DBAPIError, errors.StorageInternalError):
                return action()
            time.sleep(np.random.default_rng().uniform(0.1, 1))
        return action()
