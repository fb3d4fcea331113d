"""How log points are written and read: a line of ``metrics.jsonl`` each, beside the members' own numbers in ``metrics.f32``."""

import json
import math
import pathlib
import warnings
import zlib
from typing import Any

import numpy as np

SHARED = ("update", "env_steps", "seconds", "steps_per_second")  # what all members of a log point have in common


def read(directory: pathlib.Path) -> dict[str, np.ndarray]:
    """Read what a directory holds; see `influence_jax.analysis.load_metrics`."""
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


DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # what a garbled line may raise


def _lines(path: pathlib.Path) -> list[bytes]:
    """Return the whole lines of a file; one that is being written is none yet."""
    return _read(path).split(b"\n")[:-1]


def _read(path: pathlib.Path) -> bytes:
    """Return what a file holds; nothing, with a warning, where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        warnings.warn(f"{str(path)!r} cannot be read: {error}.", stacklevel=5)
        return b""


def pack(shared: dict[str, Any], metrics: dict[str, np.ndarray], offset: int) -> tuple[str, bytes]:
    """Write one log point as a line of ``metrics.jsonl`` and bytes of ``metrics.f32``, where they begin at ``offset``.

    The line has what all members share, and means over the members; the bytes are the members' own values, little-endian
    f32[S, ...] of all metrics side by side, as the line's ``members`` describes, with a checksum.
    """
    columns = {name: list(values.shape[1:]) for name, values in metrics.items()}
    members = len(next(iter(metrics.values())))
    values = np.concatenate([np.asarray(x, "<f4").reshape(members, -1) for x in metrics.values()], axis=1).tobytes()
    packed = {"count": members, "columns": columns, "offset": offset, "crc32": zlib.crc32(values)}
    means = {name: _plain(_mean(np.asarray(x))) for name, x in metrics.items()}
    return json.dumps({**shared, "mean": means, "members": packed}, allow_nan=False) + "\n", values


def unpack(line: bytes | str, data: memoryview) -> tuple[dict[str, Any], dict[str, list[int]], np.ndarray]:
    """Return what `pack` was given: what is shared, the shapes of the columns, and values f32[S, ...] side by side."""
    point = json.loads(line)
    packed, shared = point["members"], {name: float(point[name]) for name in SHARED}
    columns, begin = packed["columns"], packed["offset"]
    width = sum(map(math.prod, columns.values()))
    values = data[begin : begin + 4 * width * packed["count"]]
    if zlib.crc32(values) != packed["crc32"]:
        raise ValueError("the values are not those that were written")
    return shared, columns, np.frombuffer(values, "<f4").reshape(packed["count"], width)


def as_arrays(points: list[tuple[dict[str, Any], dict[str, list[int]], np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrange log points, as `unpack` gives them, as ``{name: [U, S, ...]}``; a metric that some of them lack is NaN there."""
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
    each = [_split(values, found) for _, found, values in points]  # a later version measured something else
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
    """Return the mean over the members that have a finite number."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    total = np.where(finite, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _plain(value: np.ndarray) -> Any:
    """Write a float32 with as few digits as bring the same float32 back; what is not finite is None."""
    if value.ndim:
        return [_plain(x) for x in value]
    return float(str(value)) if np.isfinite(value) else None
