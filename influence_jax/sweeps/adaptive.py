"""A search in which Optuna chooses the next trials by how the former ones did."""

import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
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
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import INT32_MAX, Integers, checked, nearest, whole_number
from influence_jax.sweeps.files import FORMAT_VERSION, give_back, place_of, read_about
from influence_jax.sweeps.plan import Part, Program, listed_programs, make_programs
from influence_jax.sweeps.results import Record, Sweep, record_of
from influence_jax.sweeps.space import Draw, Space, is_traced, make_space
from influence_jax.sweeps.study import import_optuna, opened
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
        chosen = at_the_end.enter_context(opened(wanted, _measured(about), rounds))
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


def _text(name: str, value: Any, allowed: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name} is {value!r}; allowed: {allowed}.")
    return value


def _distribution(name: str, draw: Draw) -> Any:
    """Return Optuna's word for a distribution."""
    if not is_traced(name):
        raise ConfigError(
            f"random has {name}, by which programs differ; allowed with optuna are hyper-parameters and environment parameters."
        )
    of = import_optuna().distributions
    if draw.kind != "choice":
        return of.FloatDistribution(*draw.values, log=draw.kind == "log")
    if not all(isinstance(value, bool | int | float) for value in draw.values):
        raise ConfigError(f"random {name} is {str(draw)!r}; allowed with optuna are choices of single numbers.")
    return of.CategoricalDistribution(draw.values)


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
