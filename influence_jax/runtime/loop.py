"""The host loop: compile once, then chunk after chunk; record, check, save."""

import contextlib
import dataclasses
import functools
import pathlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import ConfigError, code_paths
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import LearnerState
from influence_jax.learner.update import CAUSES
from influence_jax.platforms import usual_tracing
from influence_jax.runtime import memory, population
from influence_jax.runtime.checkpoint import Checkpoints
from influence_jax.runtime.devices import Devices, agreed, as_shapes, is_first_process, on_host, shardings
from influence_jax.runtime.directory import trained_with
from influence_jax.runtime.recorder import Recorder
from influence_jax.runtime.signals import until_stopped


@dataclasses.dataclass(frozen=True)
class LogPoint:
    """What a callback gets after each chunk of updates."""

    update: int  # updates done
    num_updates: int  # updates of the whole run
    env_steps: int  # environment steps done by each member
    total_env_steps: int  # environment steps of each member in the whole run
    steps_per_second: float  # environment steps of all members together
    metrics: dict[str, np.ndarray]  # means over the chunk, [S] or [S,N]


@dataclasses.dataclass(frozen=True)
class Program:
    """A chunk of updates of all members, laid over devices, and neither traced nor compiled."""

    learner: Learner
    members: list[dict[str, Any]]  # of each its seed and what it alone is given
    mesh: jax.sharding.Mesh
    shapes: LearnerState  # of the state, leading S, with where each array lies
    at_once: int | None  # members that a device works on at a time; None for all

    def init(self) -> LearnerState:
        """Return the first state of every member."""
        places = shardings(self.mesh, self.shapes)
        return population.init_population(self.learner, population.values_of(self.members), places)

    def compile(self, stop: threading.Event) -> jax.stages.Compiled | None:
        """Trace and compile, or return None as soon as somebody asks to stop; a compiler itself cannot be interrupted.

        Several processes wait for the end of it, since they must agree.

        Raises:
            ConfigError: code of one's own fails.
        """
        leaves, structure = jax.tree.flatten(self.shapes)
        with _own_code_explained(self.learner):
            lowered = traced(self.learner.template, self.mesh, self.at_once, structure, tuple(leaves))
        if jax.process_count() > 1:
            compiled = lowered.compile()
            return None if agreed(stop.is_set())[0] else compiled
        return until_stopped(lowered.compile, stop)


def prepare(learner: Learner, members: list[dict[str, Any]], devices: Devices) -> Program:
    """Lay members over devices.

    Raises:
        ConfigError: they do not fit, or code of one's own fails.
    """
    mesh = devices.make_mesh(learner.config)
    on_a_device = len(members) // mesh.shape["seed"]
    with _own_code_explained(learner):
        shapes = jax.eval_shape(lambda: population.init_population(learner, population.values_of(members)))
        at_once = devices.at_once
        if at_once is None and memory.has_formula(learner):
            at_once = memory.members_that_fit(learner, on_a_device, memory.device_memory())
    return Program(learner, members, mesh, as_shapes(mesh, shapes), at_once)


@contextlib.contextmanager
def _own_code_explained(learner: Learner) -> Iterator[None]:
    """Say which code of one's own it may be that fails."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        own = [f"{path} {name!r}" for path, name in code_paths(learner.config).items()]
        own += [f"the {name} that was put into the learner" for name in learner.replaced]
        if not own:
            raise
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"{' or '.join(own)} fails ({problem}); docs/extending.md says what is allowed.") from error


@usual_tracing()
@functools.lru_cache(maxsize=2)  # what is resumed, or begun with other numbers, is neither traced nor compiled again
def traced(
    learner: Learner, mesh: jax.sharding.Mesh, at_once: int | None, structure: Any, leaves: tuple
) -> jax.stages.Lowered:
    """Trace a chunk for shapes alone, whatever device a restored state lies on, so that there is one program for all."""
    shapes = jax.tree.unflatten(structure, leaves)
    chunk = population.compile_chunk(learner, shardings(mesh, shapes), at_once)
    return chunk.lower(shapes, jax.ShapeDtypeStruct((), jnp.float32))


def loop(
    program: Program,
    chunk: jax.stages.Compiled,
    state: LearnerState,
    update: int,
    stop: threading.Event,
    path: pathlib.Path | None,
    callback: Callable[[LogPoint], None] | None,
) -> tuple[LearnerState, int, int | None, dict[str, np.ndarray]]:
    """Train until the end or until somebody asks to stop; return state, updates done, those of them on disk, and metrics.

    It ends, too, where no member can learn any more. An exception of the callback passes through, after a checkpoint.

    Raises:
        MemoryError: the device is too small.
    """
    config = program.learner.config
    num_updates = jnp.float32(config.num_updates)
    belongs = None if path is None else trained_with(program.learner, program.members)
    checkpoints = None if path is None else Checkpoints(path, config.keep, belongs)
    saved, saved_at, begun = (update if path else None), time.monotonic(), time.perf_counter()
    failed = np.asarray(on_host(state.failure)) > 0
    recorder = Recorder(
        path if is_first_process() else None, update, update * config.steps_per_update, config.tensorboard
    )
    with contextlib.closing(recorder), contextlib.closing(checkpoints) if checkpoints else contextlib.nullcontext():
        while update < config.num_updates and not failed.all() and not agreed(stop.is_set())[0]:
            started = time.perf_counter()
            with explained(program):
                state, metrics = chunk(state, num_updates)
                metrics, failures, updates = on_host((metrics, state.failure, state.update))
            metrics = metrics | {"failed": (failures > 0).astype(np.float32)}
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
            clock = {
                "seconds": round(recorder.seconds_before + now - begun, 3),
                "steps_per_second": round(point.steps_per_second, 1),
            }
            recorder.write({"update": update, "env_steps": point.env_steps, **clock}, metrics)
            for member in np.flatnonzero((failures > 0) & ~failed):
                warnings.warn(
                    failure(program.members[member], CAUSES[failures[member] - 1], updates[member]), stacklevel=3
                )
            failed = failures > 0
            minutes = (time.monotonic() - saved_at) / 60
            if checkpoints and (
                update % (config.log_interval * config.checkpoint_interval) == 0
                or agreed(minutes >= config.checkpoint_minutes)[0]
            ):
                saved, saved_at = save(checkpoints, state, update, saved, failed), time.monotonic()
            error = None if callback is None else called(callback, point)
            interrupted = isinstance(error, KeyboardInterrupt)
            broken, interrupted = agreed(error is not None and not interrupted, interrupted)
            if broken:
                if checkpoints and saved != update:
                    save(checkpoints, state, update, saved, failed)
                raise error or ConnectionError(
                    "the callback of another process raised an exception, which is printed there."
                )
            if interrupted:
                break
        if checkpoints and saved != update:
            saved = save(checkpoints, state, update, saved, failed)
        if checkpoints:
            saved = settle(checkpoints, saved)
        return state, update, saved, recorder.metrics()


def called(callback: Callable[[LogPoint], None], point: LogPoint) -> BaseException | None:
    """Call a callback and return what it raised."""
    try:
        callback(point)
    except BaseException as error:
        return error
    return None


def save(
    checkpoints: Checkpoints, state: LearnerState, update: int, saved: int | None, failed: np.ndarray
) -> int | None:
    """Begin to write a checkpoint, with a note which members have failed, bool[S].

    Returns the newest update that is on disk or on its way.
    """
    saved = settle(checkpoints, saved)
    try:
        checkpoints.save(state, update, failed=np.flatnonzero(failed).tolist())
    except OSError as error:
        warnings.warn(_unsaved(update, error), stacklevel=4)
        return saved
    return update


def settle(checkpoints: Checkpoints, saved: int | None) -> int | None:
    """Wait until checkpoints are written; return the newest update that is on disk."""
    try:
        checkpoints.finish()
    except OSError as error:
        warnings.warn(_unsaved(saved, error), stacklevel=4)
        with contextlib.suppress(ConfigError):  # it cannot even be read
            return max(checkpoints.updates(), default=None)
        return None
    return saved


def _unsaved(update: int | None, error: OSError) -> str:
    problem = str(error).splitlines()[0]
    return f"the checkpoint after {update} updates cannot be written ({problem}); training goes on to the next one."


def failure(member: dict[str, Any], cause: str, update: int) -> str:
    """Say which member stopped learning, when, and what was not finite."""
    settings = ", ".join(f"{name} {value}" for name, value in member.items() if name != "member")
    return (
        f"member {member['member']} ({settings}) learns no more after {update} updates, where its {cause} was no "
        "longer finite; it stays as it was before that."
    )


@contextlib.contextmanager
def explained(program: Program):
    """Say what would fit where a device runs out of memory."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "out of memory" not in str(error).lower():
            raise
        members = len(program.members) // program.mesh.shape["seed"]
        message = f"seeds is {len(program.members)}, {members} of them on a device, which is too small for so many."
        if memory.has_formula(program.learner):
            message = memory.too_large(program.learner, members, memory.device_memory())
        raise MemoryError(f"out of memory: {message} (members_at_once makes it smaller)") from error
