"""Recording metrics: log files, or memory."""

import json
import os
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np

from influence_jax import log_format
from influence_jax.config import ConfigError
from influence_jax.runtime.loggers import Logger

# Every log point has these; NaN if the game or the influence model does not have them.
ALWAYS = (
    "collective_return",
    "agent_returns",
    "equality",
    "influence",
    "current_influence_weight",
    "entropy",
    "moa_cross_entropy",
    "apples",
    "fires",
    "cleans",
)


class Recorder:
    """Records log points of all members.

    With a directory, it appends to ``metrics.jsonl`` and ``metrics.f32``, and then gives log points to loggers; without one, it
    keeps everything in memory. If the disk is full, it warns once and tries again at the next log point.
    """

    def __init__(self, directory: pathlib.Path | None, from_update: int = 0, loggers: Sequence[Logger] = ()):
        """Continue after ``from_update``: later log points, from a run that crashed, are dropped."""
        self._directory, self._points, self._silent = directory, [], False
        self._loggers, self._failing = loggers, set[str]()
        self.seconds_before = 0.0  # seconds of training before this part of the run
        if directory is None:
            return
        self._offset, self.seconds_before = truncate(directory, from_update)
        self._unwritten: list[tuple[dict, dict[str, np.ndarray]]] = []

    def write(self, shared: dict[str, float], metrics: dict[str, np.ndarray]) -> None:
        """Record the values shared by all members (`log_format.SHARED`) and metrics f32[S, ...]."""
        members = len(next(iter(metrics.values())))
        metrics = dict.fromkeys(ALWAYS, np.full((members,), np.nan, np.float32)) | metrics
        if self._directory is None:
            line, values = log_format.pack(shared, metrics, 0)
            self._points.append(log_format.unpack(line, memoryview(values)))
            return
        self._unwritten.append((shared, metrics))
        try:
            self._append(self._directory)
        except OSError as error:
            if not self._silent:
                warnings.warn(
                    f"{str(self._directory)!r} cannot be written ({error}); training goes on, and it is tried again.",
                    stacklevel=2,
                )
            self._silent = True

    def metrics(self) -> dict[str, np.ndarray]:
        """Return everything recorded so far, in the form of `influence_jax.analysis.load_metrics`."""
        return log_format.as_arrays(self._points) if self._directory is None else log_format.read(self._directory)

    def close(self) -> None:
        """Close the loggers."""
        for logger in self._loggers:
            logger.close()

    def _append(self, directory: pathlib.Path) -> None:
        """Write all pending log points: first the values, then the line that refers to them."""
        while self._unwritten:
            shared, metrics = self._unwritten[0]
            line, values = log_format.pack(shared, metrics, self._offset)
            for name, data in (("metrics.f32", values), ("metrics.jsonl", line.encode())):
                with open(directory / name, "ab") as file:
                    begin = file.tell() if name == "metrics.jsonl" else self._offset
                    try:
                        file.truncate(begin)  # remains of a write that failed
                        file.write(data)
                        file.flush()
                    except OSError:
                        file.truncate(begin)
                        raise
            self._offset += len(values)
            self._unwritten.pop(0)
            self._silent = False
            self._pass_on(shared, metrics)

    def _pass_on(self, shared: dict[str, float], metrics: dict[str, np.ndarray]) -> None:
        """Give loggers what is on disk now."""
        for logger in self._loggers:
            try:
                logger.write(shared, metrics)
                self._failing.discard(logger.name)
            except OSError as error:
                if logger.name not in self._failing:
                    warnings.warn(
                        f"{logger.name} cannot be given more ({error}); training goes on, and it is tried again.",
                        stacklevel=4,
                    )
                self._failing.add(logger.name)


def truncate(directory: pathlib.Path, update: int) -> tuple[int, float]:
    """Drop log points after ``update`` updates, and an incomplete last one.

    Returns the length of the values in bytes, and the seconds of the last log point that stays. Damaged lines among those that
    stay are kept with their values; `load_metrics` reports them.

    Raises:
        ConfigError: the files cannot be read and written.
    """
    try:
        return _truncate(directory / "metrics.jsonl", directory / "metrics.f32", update)
    except OSError as error:
        raise ConfigError(
            f"metrics of {str(directory)!r} cannot be continued: {error}; allowed: files that can be written."
        ) from error


def _truncate(path: pathlib.Path, values: pathlib.Path, update: int) -> tuple[int, float]:
    kept, end, seconds, length = [], 0, 0.0, values.stat().st_size if values.exists() else 0
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                point = json.loads(line)
                late, last, clock = point["update"] > update, point["members"], float(point["seconds"])
                size = 4 * last["count"] * sum(int(np.prod(shape)) for shape in last["columns"].values())
                stop = last["offset"] + size
            except log_format.DAMAGE:
                late, stop, clock = not line.endswith(b"\n"), length, seconds
            if late:
                break
            kept.append(line)
            seconds = clock
            end = max(end, stop)
        shorter = path.with_name(path.name + ".tmp")
        shorter.write_bytes(b"".join(kept))
        os.replace(shorter, path)
    if values.exists():
        os.truncate(values, min(end, length))
    return end, seconds
