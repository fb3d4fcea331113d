"""Recording metrics: log files, TensorBoard, or memory."""

import json
import os
import pathlib
import warnings

import numpy as np
from tensorboardX import SummaryWriter

from influence_jax import log_format
from influence_jax.config import ConfigError

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
QUANTILES = (0.1, 0.5, 0.9)  # over members, in TensorBoard


class Recorder:
    """Records log points of all members.

    With a directory, it appends to ``metrics.jsonl``, ``metrics.f32`` and TensorBoard events; without one, it keeps everything in
    memory. If the disk is full, it warns once and tries again at the next log point.
    """

    def __init__(
        self,
        directory: pathlib.Path | None,
        from_update: int = 0,
        from_env_steps: int = 0,
        tensorboard: str = "summary",
    ):
        """Continue after ``from_update``: later log points, from a run that crashed, are dropped."""
        self._directory, self._points, self._tensorboard, self._silent = directory, [], tensorboard, False
        self._writers: list[SummaryWriter] = []
        self.seconds_before = 0.0  # seconds of training before this part of the run
        if directory is None:
            return
        self._offset, self.seconds_before = truncate(directory, from_update)
        self._purge = from_env_steps + 1
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
        """Close the files."""
        for writer in self._writers:
            writer.close()

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
            try:
                self._show(directory, shared["env_steps"], metrics)
            except OSError as error:
                warnings.warn(f"TensorBoard cannot be given more ({error}); training goes on without it.", stacklevel=3)
                self._tensorboard = "none"

    def _show(self, directory: pathlib.Path, env_steps: int, metrics: dict[str, np.ndarray]) -> None:
        """Add scalars to TensorBoard, either over all members or for each."""
        if self._tensorboard == "none":
            return
        members = len(next(iter(metrics.values())))
        if not self._writers:
            each = self._tensorboard == "members"
            places = [f"tensorboard/member_{m}" for m in range(members)] if each else ["tensorboard"]
            self._writers = [
                SummaryWriter(str(directory / place), purge_step=self._purge, flush_secs=10) for place in places
            ]
        for name, values in metrics.items():
            if values.ndim > 1 or not np.isfinite(values).any():
                continue
            if self._tensorboard == "members":
                for writer, value in zip(self._writers, values, strict=True):
                    if np.isfinite(value):
                        writer.add_scalar(name, float(value), env_steps)
                continue
            self._writers[0].add_scalar(name, float(np.nanmean(values)), env_steps)
            if members > 1:
                for quantile, value in zip(QUANTILES, np.nanquantile(values, QUANTILES), strict=True):
                    self._writers[0].add_scalar(f"{name}/quantile_{quantile}", float(value), env_steps)


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
