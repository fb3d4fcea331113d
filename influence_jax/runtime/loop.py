"""The host loop: train a chunk, record it, check it, and save from time to time."""

import contextlib
import dataclasses
import pathlib
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import ConfigError
from influence_jax.learner.state import LearnerState
from influence_jax.learner.update import CAUSES
from influence_jax.runtime.checkpoint import Checkpoints
from influence_jax.runtime.devices import any_process, is_first_process, on_host
from influence_jax.runtime.directory import trained_with
from influence_jax.runtime.loggers import loggers_of
from influence_jax.runtime.program import Program, explained
from influence_jax.runtime.recorder import Recorder


@dataclasses.dataclass(frozen=True)
class LogPoint:
    """What a callback receives after each chunk of updates.

    >>> def callback(point: influence_jax.LogPoint) -> None:
    ...     print(point.env_steps, point.metrics["collective_return"].mean())
    """

    update: int  # updates done
    num_updates: int  # updates of the whole run
    env_steps: int  # environment steps done by each member
    total_env_steps: int  # environment steps of each member in the whole run
    steps_per_second: float  # environment steps of all members together
    metrics: dict[str, np.ndarray]  # means over the chunk, [S] or [S,N]

    def __repr__(self) -> str:
        done = f"{self.update:,} of {self.num_updates:,} updates, {self.env_steps:,} environment steps of each member"
        return f"LogPoint after {done}, {len(self.metrics)} metrics"


class Loop:
    """The host loop of a run and its progress."""

    def __init__(
        self,
        program: Program,
        state: LearnerState,
        update: int,
        path: pathlib.Path | None,
        callback: Callable[[LogPoint], None] | None,
    ):
        """Start with the ``state`` after ``update`` updates; without ``path`` everything stays in memory."""
        self._config = config = program.learner.config
        self.state, self.update = state, update
        self.metrics: dict[str, np.ndarray] = {}  # everything recorded, once the loop has ended
        self._program, self._callback, self._begun = program, callback, time.perf_counter()
        self._num_updates = jnp.float32(config.num_updates)
        self._failed = np.asarray(on_host(state.failure)) > 0  # bool[S]
        recorded = path if is_first_process() else None
        given = loggers_of(config, recorded, program.members, update) if recorded else []
        self._recorder = Recorder(recorded, update, given)
        self._saver = Saver(program, path, update)

    @property
    def saved(self) -> int | None:
        """The newest update that is on disk, or None."""
        return self._saver.saved

    def run(self, chunk: jax.stages.Compiled, stop: threading.Event) -> None:
        """Train until the end, until a stop is requested, or until no member can continue.

        An exception in the callback is raised again after a checkpoint.

        Raises:
            MemoryError: the device has too little memory.
        """
        with contextlib.closing(self._recorder), contextlib.closing(self._saver):
            while (
                self.update < self._config.num_updates and not self._failed.all() and not any_process(stop.is_set())[0]
            ):
                point = self._advance(chunk)
                if self._saver.is_due(self.update):
                    self._save()
                if self._interrupted(point):
                    break
            self._save()
            self._saver.settle()
            self.metrics = self._recorder.metrics()

    def _advance(self, chunk: jax.stages.Compiled) -> LogPoint:
        """Train a chunk, record it, and warn of members that failed in it."""
        config, started = self._config, time.perf_counter()
        with explained(self._program):
            self.state, metrics = chunk(self.state, self._num_updates)
            metrics, failures, updates = on_host((metrics, self.state.failure, self.state.update))
        now = time.perf_counter()
        failed = failures > 0
        self.update += config.log_interval
        point = LogPoint(
            update=self.update,
            num_updates=config.num_updates,
            env_steps=self.update * config.steps_per_update,
            total_env_steps=config.num_updates * config.steps_per_update,
            steps_per_second=len(failed) * config.log_interval * config.steps_per_update / (now - started),
            metrics=metrics | {"failed": failed.astype(np.float32)},
        )
        clock = {
            "seconds": round(self._recorder.seconds_before + now - self._begun, 3),
            "steps_per_second": round(point.steps_per_second, 1),
        }
        self._recorder.write({"update": point.update, "env_steps": point.env_steps, **clock}, point.metrics)
        for member in np.flatnonzero(failed & ~self._failed):
            cause = CAUSES[failures[member] - 1]
            warnings.warn(failure(self._program.members[member], cause, updates[member]), stacklevel=6)
        self._failed = failed
        return point

    def _save(self) -> None:
        self._saver.save(self.state, self.update, self._failed)

    def _interrupted(self, point: LogPoint) -> bool:
        """Call the callback and return whether it, or that of another process, asks to stop."""
        error = None
        try:
            if self._callback is not None:
                self._callback(point)
        except BaseException as raised:
            error = raised
        interrupted = isinstance(error, KeyboardInterrupt)
        broken, interrupted = any_process(error is not None and not interrupted, interrupted)
        if broken:
            self._save()
            raise error or ConnectionError(
                "the callback of another process raised an exception, which is printed there."
            )
        return interrupted


class Saver:
    """Saves checkpoints from time to time. A checkpoint that cannot be written causes a warning, and training continues."""

    def __init__(self, program: Program, path: pathlib.Path | None, update: int):
        """Start after ``update`` updates, which are on disk; without ``path`` nothing is saved."""
        self._config, self._at = program.learner.config, time.monotonic()
        self._checkpoints, self.saved = None, None  # the newest update on disk or being written
        if path is not None:
            settings = trained_with(program.learner, program.members)
            self._checkpoints, self.saved = Checkpoints(path, self._config.keep, settings), update

    def is_due(self, update: int) -> bool:
        """Return whether it is time for a checkpoint."""
        if self._checkpoints is None:
            return False
        interval = self._config.log_interval * self._config.checkpoint_interval
        minutes = (time.monotonic() - self._at) / 60
        return update % interval == 0 or any_process(minutes >= self._config.checkpoint_minutes)[0]

    def save(self, state: LearnerState, update: int, failed: np.ndarray) -> None:
        """Start to write a checkpoint, noting which members have failed, bool[S], unless this update has one already."""
        if self._checkpoints is None or self.saved == update:
            return
        self.settle()
        try:
            self._checkpoints.save(state, update, failed=np.flatnonzero(failed).tolist())
            self.saved = update
        except OSError as error:
            self._warn(update, error)
        self._at = time.monotonic()

    def settle(self) -> None:
        """Wait until the last checkpoint is on disk, or warn of the error that prevented it."""
        if self._checkpoints is None:
            return
        try:
            self._checkpoints.finish()
        except OSError as error:
            self._warn(self.saved, error)
            self.saved = None
            with contextlib.suppress(ConfigError):  # the directory cannot even be read
                self.saved = max(self._checkpoints.updates(), default=None)

    def close(self) -> None:
        """Release the directory."""
        if self._checkpoints is not None:
            self._checkpoints.close()

    def _warn(self, update: int | None, error: OSError) -> None:
        problem = str(error).splitlines()[0]
        warnings.warn(
            f"the checkpoint after {update} updates cannot be written ({problem}); training goes on to the next one.",
            stacklevel=7,
        )


def failure(member: dict[str, Any], cause: str, update: int) -> str:
    """Return a message saying which member stopped learning, when, and what was not finite."""
    settings = ", ".join(f"{name} {value}" for name, value in member.items() if name != "member")
    return (
        f"member {member['member']} ({settings}) learns no more after {update} updates, where its {cause} was no "
        "longer finite; it stays as it was before that."
    )
