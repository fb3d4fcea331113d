"""Where the numbers of a run go: a file of JSON lines, TensorBoard, or memory."""

import json
import os
import pathlib
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter

from influence_jax.analysis import load

# Every row has these, None where the game or the influence model knows no such thing.
ALWAYS = (
    "collective_return",
    "agent_returns",
    "equality",
    "influence",
    "influence_weight",
    "entropy",
    "moa_cross_entropy",
    "apples",
    "fires",
    "cleans",
)


class Recorder:
    """Takes one dictionary per log point and member.

    With a directory it appends to ``metrics.jsonl`` and to TensorBoard events; without one it keeps the rows in memory.
    """

    def __init__(self, directory: pathlib.Path | None, members: int, from_update: int, from_env_steps: int):
        """Go on after ``from_update``: log points past it, from a run that crashed later, are dropped."""
        self._directory, self._rows, self._writers = directory, [], []
        if directory is None:
            return
        truncate(directory / "metrics.jsonl", from_update)
        self._file = open(directory / "metrics.jsonl", "a")
        self._writers = [
            SummaryWriter(str(directory / "tensorboard" / f"member_{m}"), purge_step=from_env_steps + 1, flush_secs=10)
            for m in range(members)
        ]

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Record one log point."""
        if self._directory is None:
            self._rows += rows
            return
        self._file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)
        self._file.flush()
        for row, writer in zip(rows, self._writers, strict=True):
            for name, value in row.items():
                if name not in ("env_steps", "member") and isinstance(value, int | float):
                    writer.add_scalar(name, value, row["env_steps"])

    def metrics(self) -> dict[str, np.ndarray]:
        """Return everything recorded so far, as of `influence_jax.analysis.load.as_arrays`."""
        return load.as_arrays(self._rows) if self._directory is None else load.load_metrics(self._directory)

    def close(self) -> None:
        """Finish the files."""
        if self._directory is not None:
            self._file.close()
        for writer in self._writers:
            writer.close()


def make_rows(logs: dict[str, np.ndarray], **shared: Any) -> list[dict[str, Any]]:
    """Turn ``{name: [S, ...]}`` into one dictionary per member; what is not a finite number becomes None."""
    members = len(next(iter(logs.values())))
    return [
        {**shared, "member": m, **dict.fromkeys(ALWAYS)}
        | {name: _plain(np.asarray(values[m])) for name, values in logs.items()}
        for m in range(members)
    ]


def _plain(value: np.ndarray) -> Any:
    """Write a float32 with as few digits as bring the same float32 back."""
    if value.ndim:
        return [_plain(x) for x in value]
    return float(str(value)) if np.isfinite(value) else None


def truncate(path: pathlib.Path, update: int) -> None:
    """Drop the rows after ``update`` updates, and a last line that was cut short."""
    if not path.exists():
        return
    shorter = path.with_suffix(".tmp")
    with open(path) as source, open(shorter, "w") as target:
        for line in source:
            if not line.endswith("\n") or json.loads(line)["update"] > update:
                break
            target.write(line)
    os.replace(shorter, path)
