"""Reading what a run wrote."""

import json
import pathlib
from typing import Any

import numpy as np


def load_metrics(directory: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Read ``metrics.jsonl`` of a run; see `as_arrays`."""
    with open(pathlib.Path(directory) / "metrics.jsonl") as file:
        return as_arrays([json.loads(line) for line in file])


def as_arrays(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Arrange rows, one per log point and member, as ``{name: [U, S]}``, or ``[U, S, N]`` for what each agent has.

    ``U`` counts log points and ``S`` members; None becomes NaN.
    """
    if not rows:
        return {}
    members = 1 + max(row["member"] for row in rows)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    columns = {name: np.asarray(x, float) if x.dtype == object else x for name, x in columns.items()}
    return {name: x.reshape(-1, members, *x.shape[1:]) for name, x in columns.items()}
