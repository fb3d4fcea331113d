"""The format of log points: a line of ``metrics.jsonl`` each, and the members' own values in ``metrics.f32``."""

import json
import math
import pathlib
import warnings
import zlib
from typing import Any

import numpy as np

SHARED = ("update", "env_steps", "seconds", "steps_per_second")  # values shared by all members of a log point


def read(directory: pathlib.Path) -> dict[str, np.ndarray]:
    """Read the metrics in a directory; see `influence_jax.analysis.load_metrics`."""
    lines = _lines(directory / "metrics.jsonl")
    data = memoryview(_read(directory / "metrics.f32"))
    points, damaged = [], []
    for number, line in enumerate(lines, start=1):
        try:
            points.append(unpack(line, data))
        except DAMAGE:
            damaged.append(number)
    if damaged:
        shown = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
        warnings.warn(
            f"{str(directory)!r}: {len(damaged)} of {len(lines)} log points are damaged and left out (line {shown} of "
            "metrics.jsonl, or its values in metrics.f32).",
            stacklevel=3,
        )
    return as_arrays(points)


DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # errors that a garbled line may raise


def _lines(path: pathlib.Path) -> list[bytes]:
    """Return the complete lines of a file; a line that is still being written does not count."""
    return _read(path).split(b"\n")[:-1]


def _read(path: pathlib.Path) -> bytes:
    """Return the content of a file, or nothing, with a warning, if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        warnings.warn(f"{str(path)!r} cannot be read: {error}.", stacklevel=5)
        return b""


def pack(shared: dict[str, Any], metrics: dict[str, np.ndarray], offset: int) -> tuple[str, bytes]:
    """Encode a log point as a line of ``metrics.jsonl`` and bytes of ``metrics.f32`` that start at ``offset``.

    The line contains the shared values and means over the members. The bytes are the members' own values, little-endian
    f32[S, ...] of all metrics side by side, as described by ``members`` in the line, with a checksum.
    """
    columns = {name: list(values.shape[1:]) for name, values in metrics.items()}
    members = len(next(iter(metrics.values())))
    values = np.concatenate([np.asarray(x, "<f4").reshape(members, -1) for x in metrics.values()], axis=1).tobytes()
    packed = {"count": members, "columns": columns, "offset": offset, "crc32": zlib.crc32(values)}
    means = {name: _plain(_mean(np.asarray(x))) for name, x in metrics.items()}
    return json.dumps({**shared, "mean": means, "members": packed}, allow_nan=False) + "\n", values


def unpack(line: bytes | str, data: memoryview) -> tuple[dict[str, Any], dict[str, list[int]], np.ndarray]:
    """Undo `pack`: return the shared values, the shapes of the columns, and values f32[S, ...] side by side."""
    point = json.loads(line)
    packed, shared = point["members"], {name: float(point[name]) for name in SHARED}
    columns, begin = packed["columns"], packed["offset"]
    width = sum(map(math.prod, columns.values()))
    values = data[begin : begin + 4 * width * packed["count"]]
    if zlib.crc32(values) != packed["crc32"]:
        raise ValueError("the values are not those that were written")
    return shared, columns, np.frombuffer(values, "<f4").reshape(packed["count"], width)


def as_arrays(points: list[tuple[dict[str, Any], dict[str, list[int]], np.ndarray]]) -> dict[str, np.ndarray]:
    """Combine log points from `unpack` into ``{name: [U, S, ...]}``; NaN where a log point lacks a metric."""
    if not points:
        return {}
    members = len(points[-1][2])
    points = [point for point in points if len(point[2]) == members]
    shared = {name: np.array([point[0][name] for point in points]) for name in SHARED}
    shared = {name: np.broadcast_to(x[:, None], (len(x), members)).copy() for name, x in shared.items()}
    shared |= {name: shared[name].astype(np.int64) for name in ("update", "env_steps")}
    columns = points[-1][1]
    if all(point[1] == columns for point in points):
        return shared | _split(np.stack([point[2] for point in points]), columns)
    each = [_split(values, found) for _, found, values in points]  # versions of the package differ in their metrics
    shapes = {name: x.shape for found in each for name, x in found.items()}
    missing = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}
    return shared | {name: np.stack([found.get(name, missing[name]) for found in each]) for name in shapes}


def _split(values: np.ndarray, columns: dict[str, list[int]]) -> dict[str, np.ndarray]:
    ends = np.cumsum([math.prod(shape) for shape in columns.values()])
    parts = np.split(values, ends[:-1], axis=-1)
    return {
        name: part.reshape(*values.shape[:-1], *shape)
        for (name, shape), part in zip(columns.items(), parts, strict=True)
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the members with a finite value."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    total = np.where(finite, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _plain(value: np.ndarray) -> Any:
    """Convert float32 to floats with the fewest digits that round back to the same float32; None if not finite."""
    if value.ndim:
        return [_plain(x) for x in value]
    return float(str(value)) if np.isfinite(value) else None
