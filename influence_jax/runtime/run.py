"""The host loop: compile once, then chunk after chunk; record, check, save."""

import contextlib
import dataclasses
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.analysis.load import load_metrics
from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.learner.train import Learner, make_learner
from influence_jax.learner.update import LearnerState
from influence_jax.runtime import directory, population
from influence_jax.runtime.checkpoint import Checkpoints
from influence_jax.runtime.recorder import Recorder, make_rows


@dataclasses.dataclass(frozen=True)
class LogPoint:
    """What a callback is told after each chunk."""

    update: int  # updates done
    num_updates: int  # updates of the whole run
    env_steps: int  # environment steps done by each member
    total_env_steps: int  # environment steps of each member in the whole run
    steps_per_second: float  # environment steps of all members together
    metrics: dict[str, np.ndarray]  # means over the chunk, [S] or [S,N]


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as far as it got."""

    learner: Learner = dataclasses.field(repr=False)
    state: LearnerState = dataclasses.field(repr=False)  # leading S
    update: int  # updates done
    metrics: dict[str, np.ndarray] = dataclasses.field(repr=False)  # [U,S] or [U,S,N]: log points, members, agents
    compile_seconds: float = 0.0

    @property
    def config(self) -> ExperimentConfig:
        """The complete configuration."""
        return self.learner.config

    @property
    def finished(self) -> bool:
        """Whether all updates were done."""
        return self.update >= self.config.num_updates


def train(
    config: ExperimentConfig,
    *,
    seeds: int | None = None,
    total_steps: float | None = None,
    out: str | pathlib.Path | None = None,
    resume: bool = False,
    callback: Callable[[LogPoint], None] | None = None,
) -> Run:
    """Train every member of an experiment.

    Ctrl-C, or a ``KeyboardInterrupt`` from the callback, ends the run after the current chunk, with a checkpoint.

    Args:
        config: the experiment; see `influence_jax.presets`.
        seeds: instead of ``config.seeds``.
        total_steps: instead of ``config.total_steps``; ``2e6`` is a whole number.
        out: directory of the run's files; without it everything stays in memory.
        resume: go on with the run in ``out``, exactly as if it had not stopped.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, or ``out`` does not fit.
        FloatingPointError: the parameters of a member are no longer finite.
    """
    given = {"seeds": seeds, "total_steps": None if total_steps is None else whole_number(total_steps)}
    config = dataclasses.replace(config, **{name: value for name, value in given.items() if value is not None})
    learner = make_learner(config)
    if out is None:
        if resume:
            raise ConfigError("resume is True without out; allowed with it: the directory of a run.")
        return _loop(learner, population.init_population(learner), 0, None, None, callback)

    path = pathlib.Path(out)
    directory.reclaim(path, config) if resume else directory.claim(path, config)
    with contextlib.closing(Checkpoints(path)) as checkpoints:
        update = (checkpoints.latest() or 0) if resume else 0
        state = _restore(checkpoints, learner, update) if update else population.init_population(learner)
        directory.stamp(path, update)
        return _loop(learner, state, update, path, checkpoints, callback)


def load(out: str | pathlib.Path) -> Run:
    """Read a run back as of its newest checkpoint, to evaluate or render it."""
    path = pathlib.Path(out)
    learner = make_learner(directory.load_config(path))
    with contextlib.closing(Checkpoints(path)) as checkpoints:
        update = checkpoints.latest()
        if update is None:
            raise ConfigError(f"{str(path)!r} holds a run without a checkpoint yet; allowed is one with a checkpoint.")
        state = _restore(checkpoints, learner, update)
    return Run(learner, state, update, load_metrics(path))


def _restore(checkpoints: Checkpoints, learner: Learner, update: int) -> LearnerState:
    return checkpoints.restore(jax.eval_shape(lambda: population.init_population(learner)), update)


def _loop(learner, state, update, path, checkpoints, callback) -> Run:
    config = learner.config
    arguments = population.repeat_hyperparams(config), jnp.float32(config.num_updates)
    compile_seconds = -time.perf_counter()
    shapes = jax.eval_shape(lambda *x: x, state, *arguments)  # forgets where a restored state lies: one program for all
    chunk = population.compile_chunk(learner).lower(*shapes).compile()
    compile_seconds += time.perf_counter()

    saved, begun = update, time.perf_counter()
    recorder = Recorder(path, config.seeds, update, update * config.steps_per_update)
    with contextlib.closing(recorder), deferred_interrupt() as interrupted:
        while update < config.num_updates and not interrupted.is_set():
            started = time.perf_counter()
            state, metrics = chunk(state, *arguments)
            metrics = jax.device_get(metrics)
            update += config.log_interval
            now = time.perf_counter()
            point = LogPoint(
                update=update,
                num_updates=config.num_updates,
                env_steps=update * config.steps_per_update,
                total_env_steps=config.num_updates * config.steps_per_update,
                steps_per_second=config.log_interval * config.steps_per_update * config.seeds / (now - started),
                metrics=metrics,
            )
            clock = {"steps_per_second": round(point.steps_per_second, 1), "seconds": round(now - begun, 3)}
            recorder.write(make_rows(metrics, update=update, env_steps=point.env_steps, **clock))
            refuse_non_finite(state, update)
            if checkpoints and update % (config.log_interval * config.checkpoint_interval) == 0:
                checkpoints.save(state, update)
                saved = update
            if callback is not None:
                try:
                    callback(point)
                except KeyboardInterrupt:
                    interrupted.set()
        if checkpoints and saved != update:
            checkpoints.save(state, update)
        return Run(learner, state, update, recorder.metrics(), compile_seconds)


def whole_number(value: float) -> float:
    """Read 2e6 as 2000000; leave alone what is not whole, for `config.validate` to refuse."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@jax.jit
def finite_members(params) -> jax.Array:
    """bool[S]: all parameters of the member are finite."""
    return jnp.stack([jnp.isfinite(x).all(axis=range(1, x.ndim)) for x in jax.tree.leaves(params)]).all(axis=0)


def refuse_non_finite(state: LearnerState, update: int) -> None:
    """Stop a run that can no longer learn anything."""
    broken = np.flatnonzero(~np.asarray(finite_members(state.params)))
    if broken.size:
        members = ", ".join(map(str, broken))
        raise FloatingPointError(
            f"the parameters of member {members} are no longer finite after update {update}; the metrics up to there "
            "are kept, and the last checkpoint is from before (a lower hyperparams.learning_rate may help)."
        )


@contextlib.contextmanager
def deferred_interrupt():
    """Give an event that the first Ctrl-C sets; the second one interrupts as usual.

    An interrupt in the middle of a chunk would lose its state, which is donated.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    previous = signal.getsignal(signal.SIGINT)

    def handler(signum, frame):
        del signum, frame
        print("finishing this chunk, then saving; once more to stop at once", file=sys.stderr)
        pressed.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)
