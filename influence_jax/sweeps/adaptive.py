"""A search in which Optuna chooses the next trials by how the former ones did."""

import contextlib
import functools
import itertools
import json
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import ConfigError, ExperimentConfig, to_dict
from influence_jax.learner import train
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime import directory
from influence_jax.runtime import run as runs
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.files import write_json
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import Integers, checked, nearest, whole_number
from influence_jax.sweeps.plan import Program, make_programs
from influence_jax.sweeps.space import Draw, Space, is_traced, make_space
from influence_jax.sweeps.sweep import (
    FORMAT_VERSION,
    Record,
    Sweep,
    give_back,
    listed_programs,
    place_of,
    read_about,
)


def search(
    config: ExperimentConfig,
    random: Mapping[str, str],
    *,
    storage: str,
    study: str = "influence_jax",
    trials: int = 64,
    at_once: int = 8,
    metric: str = "collective_return",
    out: str | pathlib.Path,
    resume: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Sweep:
    """Let Optuna choose trials until its study has so many, each with ``config.seeds`` seeds.

    A round of trials is one program, compiled once. Any number of processes may search in one study at a time, each in a
    directory of its own; what is returned, and what `influence_jax.load` reads, are the trials of this one. A trial a seed of
    which lacks the metric has failed, and another one is asked for. A request to stop ends the search after the current chunk,
    with a checkpoint.

    Args:
        config: what all trials have in common.
        random: distributions of settings that are traced, as in `influence_jax.sweep`.
        storage: Optuna's URL of a data base, such as ``"sqlite:///study.db"``, which many processes may share.
        study: its name in there; it goes on where it exists.
        trials: of the study in all.
        at_once: trials in a round.
        metric: what is to be large; of each trial the mean over its seeds at the end of the run.
        out: directory, in which ``programs/000`` and so on are the rounds.
        resume: go on with the search in ``out``.
        devices: how members are laid over devices.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, Optuna is not installed, or ``out`` does not fit.

    Example:
        >>> rates = {"learning_rate": "log:1e-4:1e-2"}
        >>> influence_jax.search(config, rates, storage="sqlite:///study.db", out="runs/search").best(1)
    """
    wanted = {
        "storage": str(storage),
        "study": str(study),
        "trials": checked("trials", whole_number(trials), Integers(1)),
        "at_once": checked("at_once", whole_number(at_once), Integers(1)),
        "metric": metric,
    }
    path, learner = directory.checked_path(out), make_learner(config)
    draws = make_space(config, random=random).random
    asked_for = {name: _distribution(name, draw) for name, draw in draws.items()}
    _refuse_ends(config, draws)
    about = {"format_version": FORMAT_VERSION, "config": to_dict(learner.config)}
    about |= {"search": wanted | {"random": {name: str(draw) for name, draw in draws.items()}}}
    about = json.loads(json.dumps(about))
    rounds: list[list[int]] = []  # the study's numbers of the trials of each
    listed: list[dict[str, Any]] = []  # the settings of all of them
    if resume:
        before = read_about(path)
        if {name: before.get(name) for name in about} != about:
            raise ConfigError(f"{str(path)!r} holds something else; allowed to resume is the same search.")
        try:
            rounds, listed = before["rounds"], before["space"]["listed"]
        except (KeyError, TypeError) as error:
            raise ConfigError(f"{str(path / 'sweep.json')!r} lacks {error}; allowed is what `search` writes.") from None
    else:
        directory.refuse_taken(path)
    _refuse_unknown(metric, learner)
    existed = path.exists()
    programs: list[Program] = []
    records: list[Record] = []
    with contextlib.ExitStack() as at_the_end:
        chosen = at_the_end.enter_context(_opened(wanted["storage"], wanted["study"]))
        at_the_end.enter_context(directory.locked(path))
        at_the_end.enter_context(deferred_stop())
        if not resume:
            at_the_end.callback(give_back, path, existed)
        for number in itertools.count():
            fresh = number == len(rounds)
            if fresh:
                asked = [chosen.ask(asked_for) for _ in range(min(wanted["at_once"], _left(chosen, wanted["trials"])))]
                if not asked and not rounds:
                    raise ConfigError(f"trials is {trials}, and the study {study!r} has as many; allowed are more.")
                if not asked:
                    break
                rounds.append([trial.number for trial in asked])
                listed += [trial.params for trial in asked]
            first = sum(map(len, rounds[:number]))
            space = Space(listed=tuple(listed))
            programs += make_programs(config, space, [range(first, first + len(rounds[number]))])
            if fresh:
                parts = {"space": space.to_json(), "rounds": rounds, "programs": listed_programs(programs)}
                write_json(path / "sweep.json", about | parts)
            program, place = programs[-1], place_of(path, number)
            begun, members = (place / "config.json").exists(), {"hyperparams": program.hyperparams, "out": place}
            try:
                run = runs.train(program.learner, **members, resume=begun, devices=devices, callback=callback)
            except BaseException:
                if not (place / "config.json").exists():  # there is nothing to go on with
                    _tell(chosen, rounds[number], {})
                raise
            records.append(Record(run.update, run.metrics))
            if not run.finished:
                break
            found = Sweep(space, [program], path, records[-1:]).best(len(rounds[number]), metric)
            values = {rounds[number][row["trial"] - first]: row[metric] for row in found}
            _tell(chosen, rounds[number], values)
            if not any(map(math.isfinite, values.values())):
                raise ConfigError(
                    f"metric is {metric!r}, which no trial of a round has in the end; allowed: one that all have (for what is "
                    "per episode, one must end within the last log points)."
                )
    return Sweep(Space(listed=tuple(listed)), programs, path, records)


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
            f"random has {name}, by which programs differ; allowed with optuna are hyper-parameters and numbers of the game."
        )
    of = _optuna().distributions
    if draw.kind != "choice":
        return of.FloatDistribution(*draw.values, log=draw.kind == "log")
    if not all(isinstance(value, bool | int | float) for value in draw.values):
        raise ConfigError(f"random {name} is {str(draw)!r}; allowed with optuna are choices of single numbers.")
    return of.CategoricalDistribution(draw.values)


@contextlib.contextmanager
def _opened(storage: str, study: str) -> Iterator[Any]:
    """Open a study, a new one where there is none. Trials that are under way elsewhere count as bad until they are done."""
    optuna = _optuna()
    sampler = optuna.samplers.TPESampler(constant_liar=True)
    options = {"study_name": study, "direction": "maximize", "load_if_exists": True, "sampler": sampler}
    with contextlib.ExitStack() as at_the_end:
        try:
            backend = _patiently(lambda: optuna.storages.RDBStorage(storage))
            at_the_end.callback(lambda: (backend.remove_session(), backend.engine.dispose()))
            found = _patiently(lambda: optuna.create_study(storage=backend, **options))
        except Exception as error:  # of data bases there are many kinds
            problem = str(error).partition("\n")[0]
            raise ConfigError(
                f"storage is {storage!r}, which cannot be opened ({type(error).__name__}: {problem}); allowed is the URL of "
                "a data base, such as sqlite:///study.db."
            ) from error
        yield found


def _patiently(action: Callable[[], Any]) -> Any:
    """Try several times: processes that begin together in a new data base are in each other's way while it is laid out."""
    from sqlalchemy.exc import DBAPIError

    for _ in range(5):
        with contextlib.suppress(DBAPIError):
            return action()
        time.sleep(np.random.default_rng().uniform(0.1, 1))
    return action()


def _left(study: Any, trials: int) -> int:
    """Return how many trials are still to be asked for; those that failed are asked for again."""
    states = _optuna().trial.TrialState
    return trials - len(study.get_trials(deepcopy=False, states=(states.COMPLETE, states.RUNNING)))


def _tell(study: Any, numbers: list[int], values: Mapping[int, float]) -> None:
    """Say how the trials of a round did, unless that was said before; those without a finite value failed."""
    states = _optuna().trial.TrialState
    for number in numbers:
        value = values.get(number, math.nan)
        known = math.isfinite(value)
        study.tell(number, value if known else None, None if known else states.FAIL, skip_if_finished=True)


def _refuse_ends(config: ExperimentConfig, draws: Mapping[str, Draw]) -> None:
    """Refuse values that may be drawn and are not allowed: both ends of a distribution, or every choice."""
    most = max(len(draw.values) for draw in draws.values())
    ends = [{name: draw.values[i % len(draw.values)] for name, draw in draws.items()} for i in range(most)]
    make_programs(config, Space(listed=tuple(ends)), [range(most)])


def _refuse_unknown(metric: str, learner: Learner) -> None:
    state = jax.eval_shape(lambda: train.init(learner, jax.random.key(0)))
    _, metrics = jax.eval_shape(functools.partial(train.chunk, learner), state, jnp.float32(0))
    names = sorted(name for name, x in metrics.items() if not x.shape)
    if metric not in names:
        raise ConfigError(f"metric is {metric!r}; allowed: {', '.join(names)}.{nearest(metric, names)}")
