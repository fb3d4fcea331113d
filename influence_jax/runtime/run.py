"""The host loop: compile once, then chunk after chunk; record, check, save."""

import contextlib
import dataclasses
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.analysis.load import load_metrics
from influence_jax.config import ConfigError, ExperimentConfig, code_paths, validate
from influence_jax.evaluation.play import play
from influence_jax.evaluation.policy import Policy, policy_of
from influence_jax.evaluation.trace import Trace
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.learner.state import LearnerState
from influence_jax.runtime import directory, population
from influence_jax.runtime.checkpoint import Checkpoints
from influence_jax.runtime.recorder import Recorder, make_rows
from influence_jax.settings import whole_number


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
    members: list[dict[str, Any]] = dataclasses.field(repr=False)  # of each member its seed and what it alone is given
    compile_seconds: float = 0.0

    @property
    def config(self) -> ExperimentConfig:
        """The complete configuration."""
        return self.learner.config

    @property
    def finished(self) -> bool:
        """Whether all updates were done."""
        return self.update >= self.config.num_updates

    def policy(self, member: int = 0) -> Policy:
        """Return the trained agents of one member: what they would do at any state, and an actor to step by hand.

        >>> run.policy(0).at(state).probabilities  # f32[N,A]
        """
        return policy_of(self.learner, self.state, member)

    def trace(self, member: int = 0, seed: int = 0, *, real: bool = False) -> Trace:
        """Return one episode of a member's agents in full; see `influence_jax.play` for the arguments.

        >>> run.trace(0, seed=1).film("episode.gif")
        """
        return play(self.policy(member), seed=seed, real=real)


def train(
    experiment: ExperimentConfig | Learner,
    *,
    seeds: int | None = None,
    total_steps: float | None = None,
    hyperparams: population.Values | None = None,
    out: str | pathlib.Path | None = None,
    resume: bool = False,
    start_from: str | pathlib.Path | None = None,
    trust: bool = False,
    callback: Callable[[LogPoint], None] | None = None,
) -> Run:
    """Train every member of an experiment.

    Ctrl-C, or a ``KeyboardInterrupt`` from the callback, ends the run after the current chunk, with a checkpoint.

    Args:
        experiment: a configuration, see `influence_jax.presets`, or a learner with parts of your own.
        seeds: instead of ``config.seeds``.
        total_steps: instead of ``config.total_steps``; ``2e6`` is a whole number.
        hyperparams: settings that differ between members, ``{name: values [S] or [S,N]}``: hyper-parameters, numbers of the
            game as ``"env.params.<name>"``, or the ``"seed"``; see `influence_jax.grid`. A first axis of 1 is for all.
        out: directory of the run's files; without it everything stays in memory.
        resume: go on with the run in ``out``, exactly as if it had not stopped.
        start_from: directory of a run whose parameters, and nothing else, this one begins with.
        trust: whether ``start_from`` may name code outside of this package, which is then imported.
        callback: called after each log point.

    Raises:
        ConfigError: a setting cannot be used, or ``out`` does not fit.
        FloatingPointError: the parameters of a member are no longer finite.
    """
    learner = experiment if isinstance(experiment, Learner) else make_learner(experiment)
    given = {"seeds": seeds, "total_steps": whole_number(total_steps)}
    config = dataclasses.replace(learner.config, **{name: value for name, value in given.items() if value is not None})
    learner = dataclasses.replace(learner, config=validate(config))
    learner, values = population.with_members(learner, hyperparams or {}), hyperparams or {}
    members = population.member_settings(learner, values)
    if start_from is not None and resume:
        raise ConfigError(f"start_from is {str(start_from)!r} with resume True; allowed is one of them.")
    if out is None and resume:
        raise ConfigError("resume is True without out; allowed with it: the directory of a run.")
    if out is not None and not resume:
        directory.refuse_taken(pathlib.Path(out))
    source = None if start_from is None else load(start_from, trust=trust)
    lowered = lower(learner, members)  # before the directory is claimed, since code of one's own may fail in it
    with deferred_interrupt() as interrupted:
        state = None if source is None else with_params(population.init_population(learner, values), source)
        about = {} if source is None else {"start_from": {"directory": str(start_from), "update": source.update}}
        path = None if out is None else pathlib.Path(out)
        if resume:
            directory.reclaim(path, learner, members)
        elif path is not None:
            directory.claim(path, learner, members)
        return _continue(learner, members, lowered, path, callback, about, interrupted, state)


def resume(
    out: str | pathlib.Path,
    *,
    total_steps: float | None = None,
    learner: Learner | None = None,
    trust: bool = False,
    callback: Callable[[LogPoint], None] | None = None,
) -> Run:
    """Go on with the run in a directory, exactly as if it had not stopped.

    With other ``total_steps`` the schedules (learning rate, exploration, curriculum) refer to the new length from here on: the
    learning rate, say, goes on with the value that a run of that length has at this step. ``run.json`` records it.

    Args:
        out: directory of the run.
        total_steps: length of the whole run, instead of what it was to be.
        learner: the learner, for a run with parts of your own.
        trust: whether the run may name code outside of this package, which is then imported.
        callback: called after each log point.

    Raises:
        ConfigError: there is no such run, or it is longer already.
        FloatingPointError: the parameters of a member are no longer finite.
    """
    path = pathlib.Path(out)
    learner, members = directory.reopen(path, learner, trust)
    about, before = {}, learner.config.total_steps
    if total_steps is not None:
        config = validate(dataclasses.replace(learner.config, total_steps=whole_number(total_steps)))
        with contextlib.closing(Checkpoints(path)) as checkpoints:
            done = checkpoints.latest() or 0
        if config.total_steps < min(done * config.steps_per_update, before):
            raise ConfigError(
                f"total_steps is {config.total_steps} for a run of which {done * config.steps_per_update} are done; allowed are "
                "at least so many."
            )
        learner = dataclasses.replace(learner, config=config)
        directory.save_config(path, learner)
        about = {"total_steps": config.total_steps, "total_steps_before": before}
    lowered = lower(learner, members)
    with deferred_interrupt() as interrupted:
        return _continue(learner, members, lowered, path, callback, about, interrupted)


def load(
    out: str | pathlib.Path, update: int | None = None, *, learner: Learner | None = None, trust: bool = False
) -> Run:
    """Read a run back as of its newest checkpoint, or that after ``update`` updates, to evaluate or render it.

    Args:
        out: directory of the run.
        update: which checkpoint.
        learner: the learner, for a run with parts of your own.
        trust: whether the run may name code outside of this package, which is then imported.

    Raises:
        ConfigError: there is no such run or checkpoint, or it needs code that is not trusted.
    """
    path = pathlib.Path(out)
    learner, members = directory.reopen(path, learner, trust)
    if not (path / "checkpoints").is_dir():
        raise ConfigError(f"{str(path)!r} holds a run without a checkpoint yet; allowed is one with a checkpoint.")
    with contextlib.closing(Checkpoints(path)) as checkpoints:
        saved = checkpoints.updates()
        if not saved:
            raise ConfigError(f"{str(path)!r} holds a run without a checkpoint yet; allowed is one with a checkpoint.")
        if update is not None and update not in saved:
            raise ConfigError(
                f"update is {update!r}; allowed: {', '.join(map(str, saved))}, which were saved and kept."
            )
        update = saved[-1] if update is None else update
        state = _restore(checkpoints, learner, members, update)
    metrics = load_metrics(path)
    return Run(
        learner, state, update, {name: x[metrics["update"][:, 0] <= update] for name, x in metrics.items()}, members
    )


def with_params(state: LearnerState, source: Run) -> LearnerState:
    """Return the state with the parameters of another run, whose one member may serve for all.

    Raises:
        ConfigError: the networks or the numbers of members differ.
    """
    wanted, found = jax.eval_shape(lambda: state.params), source.state.params
    members, others = len(jax.tree.leaves(wanted)[0]), len(jax.tree.leaves(found)[0])
    if others not in (1, members):
        raise ConfigError(f"start_from has {others} members, this run {members}; allowed: 1 or {members}.")
    shapes = (jax.tree.map(lambda x: x.shape[1:], tree) for tree in (wanted, found))
    if jax.tree.structure(wanted) != jax.tree.structure(found) or len({str(shape) for shape in shapes}) > 1:
        raise ConfigError(
            "start_from has networks of another shape; allowed are runs with the same agents and networks."
        )
    return state.replace(params=jax.tree.map(lambda x, like: jnp.broadcast_to(x, like.shape), found, wanted))


def _restore(checkpoints: Checkpoints, learner: Learner, members: list[dict[str, Any]], update: int) -> LearnerState:
    values = population.values_of(members)
    return checkpoints.restore(jax.eval_shape(lambda: population.init_population(learner, values)), update)


def lower(learner: Learner, members: list[dict[str, Any]]) -> jax.stages.Lowered:
    """Trace a chunk of updates, without compiling it.

    Raises:
        ConfigError: code of one's own fails.
    """
    try:
        # Shapes alone, whatever device a restored state lies on, so that there is one program for all.
        state = jax.eval_shape(lambda: population.init_population(learner, population.values_of(members)))
        return population.compile_chunk(learner).lower(state, jax.ShapeDtypeStruct((), jnp.float32))
    except ConfigError:
        raise
    except Exception as error:
        own = [f"{path} {name!r}" for path, name in code_paths(learner.config).items()]
        own += [f"the {name} that was put into the learner" for name in learner.replaced]
        if not own:
            raise
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"{' or '.join(own)} fails ({problem}); docs/extending.md says what is allowed.") from error


def _continue(learner, members, lowered, path, callback, about, interrupted, state=None) -> Run:
    """Go on from the newest checkpoint of ``path``, or from ``state`` or a fresh start where there is none."""
    checkpoints = None if path is None else Checkpoints(path, learner.config.keep)
    with contextlib.closing(checkpoints) if checkpoints else contextlib.nullcontext():
        update = (checkpoints.latest() or 0) if checkpoints else 0
        if update:
            state = _restore(checkpoints, learner, members, update)
        elif state is None:
            state = population.init_population(learner, population.values_of(members))
        if path is not None:
            directory.stamp(path, update, about)
        return _loop(learner, members, lowered, state, update, path, checkpoints, callback, interrupted)


def _loop(learner, members, lowered, state, update, path, checkpoints, callback, interrupted) -> Run:
    config = learner.config
    num_updates = jnp.float32(config.num_updates)
    compile_seconds = -time.perf_counter()
    chunk = lowered.compile() if update < config.num_updates else None
    compile_seconds += time.perf_counter()

    saved, begun = update, time.perf_counter()
    recorder = Recorder(path, config.seeds, update, update * config.steps_per_update)
    with contextlib.closing(recorder):
        while update < config.num_updates and not interrupted.is_set():
            started = time.perf_counter()
            state, metrics = chunk(state, num_updates)
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
        return Run(learner, state, update, recorder.metrics(), members, compile_seconds)


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
        print("finishing what is under way, then saving; once more to stop at once", file=sys.stderr)
        pressed.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)
