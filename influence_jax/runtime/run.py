"""Training a run, resuming it, and loading it."""

import contextlib
import dataclasses
import pathlib
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from influence_jax import presets
from influence_jax.analysis.load import load_metrics
from influence_jax.analysis.members import name_of
from influence_jax.analysis.tables import describe_run, run_table
from influence_jax.config import ConfigError, ExperimentConfig, validate
from influence_jax.evaluation.episodes import Evaluation, evaluate
from influence_jax.evaluation.intervention import Interventions, intervene
from influence_jax.evaluation.play import play
from influence_jax.evaluation.policy import Policy, policy_of
from influence_jax.evaluation.trace import Trace
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.learner.state import LearnerState
from influence_jax.learner.train import warm_start
from influence_jax.learner.update import CAUSES
from influence_jax.runtime import devices as placing
from influence_jax.runtime import directory, population
from influence_jax.runtime.checkpoint import Checkpoints, DamagedCheckpoint, differences
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.loggers import check as check_loggers
from influence_jax.runtime.loop import LogPoint, Loop, failure
from influence_jax.runtime.program import Program, prepare
from influence_jax.runtime.signals import deferred_stop
from influence_jax.settings import Choices, checked, file_path, whole_number


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """A training run and its results so far, from `influence_jax.train` or `influence_jax.load`.

    >>> run = influence_jax.load("runs/harvest-moa")
    >>> evaluation, video = run.evaluate(20), run.trace(0).video("episode.gif")
    """

    learner: Learner
    state: LearnerState  # leading S
    update: int  # updates done
    metrics: dict[str, np.ndarray]  # [U,S] or [U,S,N]: log points, members, agents
    members: list[dict[str, Any]]  # each member's seed and its own settings
    compile_seconds: float = 0.0
    saved: int | None = None  # update of the newest checkpoint on disk; None without a directory

    @property
    def config(self) -> ExperimentConfig:
        """The complete configuration."""
        return self.learner.config

    @property
    def finished(self) -> bool:
        """Whether all updates were done, or no member can continue."""
        return self.update >= self.config.num_updates or len(self.failures) == len(self.members)

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The members that stopped learning: ``member``, the ``update`` after which it stopped, and the ``cause``."""
        found, updates = placing.on_host((self.state.failure, self.state.update))
        return [
            {"member": int(m), "update": int(updates[m]), "cause": CAUSES[found[m] - 1]} for m in np.flatnonzero(found)
        ]

    def __repr__(self) -> str:
        return describe_run(name_of(self), self.metrics, len(self.members))

    def table(self) -> Any:
        """Return a ``pandas.DataFrame`` with one row per member and log point.

        Raises:
            ConfigError: pandas is not installed.
        """
        return run_table(self.metrics, self.members)

    def policy(self, member: int = 0) -> Policy:
        """Return the trained agents of one member: their policies at any state, and an actor to step by hand.

        >>> run.policy(0).at(state).probabilities  # f32[N,A]
        """
        return policy_of(self.learner, self.state, member)

    def trace(self, member: int = 0, seed: int = 0, *, real: bool = False) -> Trace:
        """Return one episode of a member's agents in full; see `influence_jax.play` for the arguments.

        >>> run.trace(0, seed=1).video("episode.gif")
        """
        return play(self.policy(member), seed=seed, real=real)

    def evaluate(self, num_episodes: int = 20, seed: int = 0, greedy: bool = False) -> Evaluation:
        """Play whole episodes with every member; see `influence_jax.evaluate`."""
        return evaluate(self, None, num_episodes, seed, greedy)

    def intervene(self, num_moments: int = 256, seed: int = 0) -> Interventions:
        """Compare the influence that models of others estimate with the real one; see `influence_jax.intervene`."""
        return intervene(self, None, num_moments, seed)


@dataclasses.dataclass(frozen=True)
class Execution:
    """How to train a run or a sweep: its devices and its callback.

    Raises:
        ConfigError: one of them cannot be used.
    """

    resume: bool = False  # whether to continue what is in the directory
    trust: bool = False  # whether to import code from outside this package that files name
    devices: Devices = ALL_DEVICES  # placement of members on devices
    callback: Callable[[LogPoint], None] | None = None  # called after each log point

    def __post_init__(self):
        for name in ("resume", "trust"):
            checked(name, getattr(self, name), Choices((True, False)))
        if not isinstance(self.devices, Devices):
            raise ConfigError(f"devices is a {type(self.devices).__name__}; allowed: Devices(...).")
        if self.callback is not None and not callable(self.callback):
            raise ConfigError(
                f"callback is a {type(self.callback).__name__}; allowed: a function of a LogPoint, or None."
            )


def train(
    experiment: str | ExperimentConfig | Learner,
    *,
    seeds: int | None = None,
    total_steps: float | None = None,
    hyperparams: population.Values | None = None,
    out: str | pathlib.Path | None = None,
    resume: bool = False,
    start_from: str | pathlib.Path | None = None,
    trust: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Run:
    """Train every member of an experiment.

    Ctrl-C, SIGTERM, SIGHUP or SIGUSR1, or a ``KeyboardInterrupt`` from the callback, ends the run after the current chunk,
    with a checkpoint. A member with a number that is not finite is frozen at its last good state, with a warning, and the
    others continue.

    Args:
        experiment: the name of a preset, a configuration (`influence_jax.presets`), or a learner with parts of your own.
        seeds: replaces ``config.seeds``.
        total_steps: replaces ``config.total_steps``; may be written ``2e6``.
        hyperparams: settings that differ between members, ``{name: values [S] or [S,N]}``: hyper-parameters, those of
            your own parts as ``"own.<name>"``, parameters of the game as ``"env.params.<name>"``, or the ``"seed"``; see
            `influence_jax.grid`. A first axis of 1 applies to all.
        out: directory of the run's files; without it everything stays in memory.
        resume: continue the run in ``out``, if there is one, exactly as if it had not stopped.
        start_from: directory of a run; the new run starts from its parameters and takes nothing else from it.
        trust: whether to import code from outside this package that ``start_from`` names.
        devices: placement of members on devices.
        callback: called after each log point; its method ``begin(learner, members)``, if it has one, before a
            program is compiled for so many members.

    Raises:
        ConfigError: a setting cannot be used, or ``out`` cannot hold this run.
        FloatingPointError: no member can continue.
        MemoryError: a device has too little memory.

    Example:
        >>> run = influence_jax.train(config, seeds=2, out="runs/first")  # or influence_jax.train("harvest-moa", ...)
        >>> returns = run.metrics["collective_return"]  # f32[U,S]
    """
    path = None if out is None else directory.checked_path(out)
    how = Execution(resume=resume, trust=trust, devices=devices, callback=callback)
    learner = experiment if isinstance(experiment, Learner) else make_learner(config_of(experiment))
    given = {"seeds": seeds, "total_steps": whole_number(total_steps)}
    config = dataclasses.replace(learner.config, **{name: value for name, value in given.items() if value is not None})
    learner = dataclasses.replace(learner, config=validate(config))
    values = {} if hyperparams is None else hyperparams
    learner = population.with_members(learner, values)
    members = population.member_settings(learner, values)
    if start_from is not None and resume:
        raise ConfigError(f"start_from is {str(start_from)!r} with resume True; allowed: one of them.")
    if path is None and resume:
        raise ConfigError("resume is True without out; allowed: the directory of a run.")
    if path is not None:
        if resume and (path / "config.json").exists():
            directory.refuse_other_settings(path, learner, members)
            return _go_on(learner, members, path, how)
        directory.refuse_taken(path)
    return _begin(learner, members, start_from, path, how)


def config_of(experiment: Any) -> ExperimentConfig:
    """Return the configuration of a preset by name, of a learner without parts of your own, or ``experiment`` itself.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(experiment, str):
        return presets.get(experiment)
    if isinstance(experiment, Learner) and not experiment.replaced:
        return experiment.config
    if isinstance(experiment, Learner):
        raise ConfigError(
            f"experiment is a learner with parts of your own ({', '.join(experiment.replaced)}), which no other setting could "
            "keep; allowed: a configuration that names them, 'package.module:name'."
        )
    if not isinstance(experiment, ExperimentConfig):
        raise ConfigError(
            f"experiment is {experiment!r}; allowed: the name of a preset, a configuration, or a learner."
        )
    return experiment


def resume(
    out: str | pathlib.Path,
    *,
    total_steps: float | None = None,
    learner: Learner | None = None,
    trust: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Run:
    """Continue the run in a directory, exactly as if it had not stopped.

    A damaged checkpoint is named in a warning and set aside, and the previous one is used. With a new ``total_steps``, schedules
    (learning rate, exploration, curriculum) refer to the new length from here on: the learning rate, say, continues at the
    value that a run of the new length has at this step. ``run.json`` records the change.

    Args:
        out: directory of the run.
        total_steps: new length of the whole run.
        learner: the learner, for a run with parts of your own.
        trust: whether to import code from outside this package that the run names.
        devices: placement of members on devices, which may differ from before.
        callback: called after each log point.

    Raises:
        ConfigError: there is no such run, it is already longer, or none of its checkpoints can be read.
        FloatingPointError: no member can continue.
        MemoryError: a device has too little memory.
    """
    path, how = directory.checked_path(out), Execution(trust=trust, devices=devices, callback=callback)
    learner, members = directory.reopen(path, learner, how.trust)
    about, before = {}, learner.config.total_steps
    if total_steps is not None:
        config = validate(dataclasses.replace(learner.config, total_steps=whole_number(total_steps)))
        done = max(Checkpoints(path).updates(), default=0)
        if config.total_steps < min(done * config.steps_per_update, before):
            raise ConfigError(
                f"total_steps is {config.total_steps} for a run of which {done * config.steps_per_update} are done; allowed: "
                "at least so many."
            )
        learner = dataclasses.replace(learner, config=config)
        about = {"total_steps": config.total_steps, "total_steps_before": before}
    return _go_on(learner, members, path, how, about)


def _begin(
    learner: Learner, members: list[dict[str, Any]], start_from: Any, path: pathlib.Path | None, how: Execution
) -> Run:
    """Start a run, from the parameters of the run in ``start_from`` if given."""
    check_loggers(learner.config, path)
    source, about = None, {}
    if start_from is not None:
        source = load(file_path("start_from", start_from), trust=how.trust)
        about = {"start_from": {"directory": str(start_from), "update": source.update}}
    program = prepare(learner, members, how.devices)
    if source is not None:
        refuse_other_networks(learner, program.shapes, source)
    with deferred_stop() as stop:
        state = program.init()
        state = state if source is None else warm_start(learner, state, source.learner, source.state)
        chunk, seconds = _timed(program, stop, how)
        run = Run(learner, state, 0, {}, members, seconds)
        if chunk is None:
            return run
        written = path if placing.is_first_process() else None
        with contextlib.nullcontext() if written is None else directory.created(written, learner, members):
            if written is not None:
                directory.stamp(written, 0, about)
            placing.barrier()  # until the directory exists for all processes
            return _continued(run, program, chunk, stop, path, how)


def _go_on(
    learner: Learner,
    members: list[dict[str, Any]],
    path: pathlib.Path,
    how: Execution,
    about: dict[str, Any] | None = None,
) -> Run:
    """Continue from the newest readable checkpoint, or from the start if there is none yet."""
    check_loggers(learner.config, path)
    first = placing.is_first_process()
    with directory.locked(path) if first else contextlib.nullcontext(), deferred_stop() as stop:
        program = prepare(learner, members, how.devices)
        checkpoints = Checkpoints(path, settings=directory.trained_with(learner, members))
        restored = checkpoints.restore_newest(program.shapes)
        if restored is None and (path / "metrics.jsonl").exists():
            warnings.warn(
                f"{str(path)!r} has no checkpoint; it begins again, and what was recorded is dropped.", stacklevel=3
            )
        state, update = restored or (program.init(), 0)
        placing.barrier()  # until all processes have read what is now moved
        if first:
            checkpoints.set_aside(after=update)
            directory.save_config(path, learner)
            directory.stamp(path, update, about or {})
        run = Run(learner, state, update, recorded(path, learner, update), members, saved=update)
        if run.finished:
            return _learning(run)
        chunk, seconds = _timed(program, stop, how)
        run = dataclasses.replace(run, compile_seconds=seconds)
        return run if chunk is None else _continued(run, program, chunk, stop, path, how)


def _continued(
    run: Run,
    program: Program,
    chunk: jax.stages.Compiled,
    stop: threading.Event,
    path: pathlib.Path | None,
    how: Execution,
) -> Run:
    """Train from the current state of a run."""
    loop = Loop(program, run.state, run.update, path, how.callback)
    loop.run(chunk, stop)
    return _learning(
        dataclasses.replace(run, state=loop.state, update=loop.update, metrics=loop.metrics, saved=loop.saved)
    )


def _learning(run: Run) -> Run:
    """Return the run.

    Raises:
        FloatingPointError: none of its members can continue.
    """
    failures = run.failures
    if len(failures) < len(run.members):
        return run
    first = failure(run.members[0], failures[0]["cause"], failures[0]["update"])
    raise FloatingPointError(f"no member can learn any more: {first} What was recorded is kept.")


def _timed(program: Program, stop: threading.Event, how: Execution) -> tuple[jax.stages.Compiled | None, float]:
    """Compile a program, and return it with the seconds that took."""
    started = time.perf_counter()
    begin = getattr(how.callback, "begin", None)
    if begin is not None:
        begin(program.learner, len(program.members))
    return program.compile(stop), time.perf_counter() - started


def recorded(path: pathlib.Path, learner: Learner, update: int) -> dict[str, np.ndarray]:
    """Return the metrics of a run up to ``update``, empty if there are none, and warn of missing log points."""
    metrics = load_metrics(path)
    interval = learner.config.log_interval
    found = metrics["update"][:, 0].tolist() if metrics else []
    missing = sorted(set(range(interval, update + 1, interval)) - set(found))
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        warnings.warn(
            f"{str(path)!r} lacks {len(missing)} of {update // interval} log points (updates {shown}).",
            stacklevel=3,
        )
    kept = np.array([x <= update for x in found], bool)
    return {name: x[kept] for name, x in metrics.items()} if kept.any() else {}


def load(
    out: str | pathlib.Path, update: int | None = None, *, learner: Learner | None = None, trust: bool = False
) -> Run:
    """Load a run at its newest checkpoint, or at the one after ``update`` updates, to evaluate or render it.

    Args:
        out: directory of the run.
        update: which checkpoint.
        learner: the learner, for a run with parts of your own.
        trust: whether to import code from outside this package that the run names.

    Raises:
        ConfigError: there is no such run or checkpoint, or it needs code that is not trusted.
    """
    checked("trust", trust, Choices((True, False)))
    path = directory.checked_path(out)
    learner, members = directory.reopen(path, learner, trust)
    checkpoints = Checkpoints(path, settings=directory.trained_with(learner, members))
    saved = checkpoints.updates()
    if saved and update is not None and update not in saved:
        raise ConfigError(f"update is {update!r}; allowed: {', '.join(map(str, saved))}, which were saved and kept.")
    shapes = jax.eval_shape(lambda: population.init_population(learner, population.values_of(members)))
    if update is None or not saved:
        restored = checkpoints.restore_newest(shapes)
    else:
        try:
            restored = checkpoints.restore(shapes, update), update
        except DamagedCheckpoint as error:
            raise ConfigError(
                f"update is {update}, whose checkpoint is damaged ({error}); allowed: another one."
            ) from error
    if restored is None:
        raise ConfigError(f"{str(path)!r} holds a run without a checkpoint yet; allowed: one with a checkpoint.")
    state, update = restored
    return Run(learner, state, update, recorded(path, learner, update), members, saved=update)


def refuse_other_networks(learner: Learner, shapes: LearnerState, source: Run) -> None:
    """Raise a `ConfigError` if another run has other networks or another number of members, and say how they differ."""
    members, others = shapes.update.shape[0], len(source.members)
    if others not in (1, members):
        allowed = " or ".join(map(str, sorted({1, members})))
        raise ConfigError(f"start_from has {others} members, this run {members}; allowed: {allowed}.")
    wanted, found = (jax.tree.map(lambda x: x.shape[1:], tree) for tree in (shapes.params, source.state.params))
    if wanted != found:
        given, before = directory.flat(learner.config), directory.flat(source.config)
        shaping = [
            name for name in {**given, **before} if name.startswith(("env.", "network.", "influence.", "learner."))
        ]
        different = differences(
            {name: given.get(name) for name in shaping}, {name: before.get(name) for name in shaping}
        )
        named = "; ".join(different) or "parts of your own"
        raise ConfigError(
            f"start_from has networks of another shape, or for other games: {named}; allowed: runs with the same agents and "
            "networks."
        )
