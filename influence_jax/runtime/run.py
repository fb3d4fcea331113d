"""The host loop: compile once, then chunk after chunk; record, check, save."""

import contextlib
import dataclasses
import datetime
import json
import pathlib
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.analysis.load import load_metrics
from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.learner.train import Learner, make_learner
from influence_jax.learner.update import LearnerState
from influence_jax.runtime import checkpoint, population
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

    learner: Learner
    state: LearnerState  # leading S
    update: int  # updates done
    metrics: dict[str, np.ndarray]  # [U,S] or [U,S,N]: log points, members, agents; NaN where nothing was measured
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
    directory = None if out is None else pathlib.Path(out)
    claim(directory, config, resume)
    checkpoints = None if directory is None else Checkpoints(directory)
    update = checkpoints.latest() or 0 if resume else 0
    if update:
        state = checkpoints.restore(jax.eval_shape(lambda: population.init_population(learner)), update)
    else:
        state = population.init_population(learner)
    if directory is not None:
        stamp(directory, update)

    arguments = population.repeat_hyperparams(config), jnp.float32(config.num_updates)
    started = time.perf_counter()
    chunk = population.compile_chunk(learner).lower(state, *arguments).compile()
    compile_seconds = time.perf_counter() - started

    recorder = Recorder(directory, config.seeds, update, update * config.steps_per_update)
    saved = update
    steps_per_chunk = config.steps_per_update * config.log_interval * config.seeds
    begun = time.perf_counter()
    try:
        with deferred_interrupt() as interrupted:
            while update < config.num_updates and not interrupted.is_set():
                started = time.perf_counter()
                state, logs = chunk(state, *arguments)
                logs = jax.device_get(logs)
                update += config.log_interval
                now = time.perf_counter()
                point = LogPoint(
                    update=update,
                    num_updates=config.num_updates,
                    env_steps=update * config.steps_per_update,
                    total_env_steps=config.num_updates * config.steps_per_update,
                    steps_per_second=steps_per_chunk / (now - started),
                    metrics=logs,
                )
                recorder.write(
                    make_rows(
                        logs,
                        update=update,
                        env_steps=point.env_steps,
                        steps_per_second=round(point.steps_per_second, 1),
                        seconds=round(now - begun, 3),
                    )
                )
                refuse_non_finite(state, update)
                due = update % (config.log_interval * config.checkpoint_interval) == 0
                if checkpoints and (due or update == config.num_updates):
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
    finally:
        recorder.close()
        if checkpoints:
            checkpoints.close()


def load(out: str | pathlib.Path) -> Run:
    """Read a run back as of its newest checkpoint, to evaluate or render it."""
    directory = pathlib.Path(out)
    learner = make_learner(checkpoint.load_config(directory))
    checkpoints = Checkpoints(directory)
    update = checkpoints.latest()
    if update is None:
        raise ConfigError(f"{str(directory)!r} holds a run without a checkpoint; allowed is one that wrote at least one.")
    state = checkpoints.restore(jax.eval_shape(lambda: population.init_population(learner)), update)
    checkpoints.close()
    return Run(learner, state, update, load_metrics(directory))


def whole_number(value: float) -> int:
    """Read 2e6 as 2000000; leave alone what is not whole, for `config.validate` to refuse."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def claim(directory: pathlib.Path | None, config: ExperimentConfig, resume: bool) -> None:
    """Refuse to mix two runs in a directory; write the configuration of a new one."""
    if directory is None:
        if resume:
            raise ConfigError("resume is True without out; allowed with it: the directory of a run.")
        return
    if resume:
        different = checkpoint.differences(checkpoint.load_config(directory), config)
        if different:
            raise ConfigError(f"{str(directory)!r} holds a run under another configuration: {'; '.join(different)}.")
        return
    if (directory / "config.json").exists():
        raise ConfigError(f"out is {str(directory)!r}, which holds a run; allowed are another directory, or resume.")
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"out is {str(directory)!r}, which is a file; allowed are directories.")
    directory.mkdir(parents=True, exist_ok=True)
    checkpoint.save_config(config, directory)


def stamp(directory: pathlib.Path, update: int) -> None:
    """Add to ``run.json`` when, from where and on what this part of the run was done."""
    path = directory / "run.json"
    parts = json.loads(path.read_text()) if path.exists() else []
    device = jax.devices()[0]
    parts.append(
        {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "from_update": update,
            "command": sys.argv,
            "platform": device.platform,
            "device": device.device_kind,
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
        | {name: version(name) for name in ("influence_jax", "jax", "jaxlib", "flax", "optax", "numpy")}
    )
    path.write_text(json.dumps(parts, indent=2) + "\n")


def version(package: str) -> str | None:
    """Return the installed version; None for a source tree that was not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
            f"the parameters of member {members} are no longer finite after update {update}; the metrics up to there are "
            "written, and the last checkpoint is from before. Lower hyperparams.learning_rate or hyperparams.max_grad_norm."
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
        pressed.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)
