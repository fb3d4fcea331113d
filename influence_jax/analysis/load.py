"""Reading the metrics of a run."""

import contextlib
import pathlib

import numpy as np

from influence_jax.log_format import read
from influence_jax.settings import ConfigError, file_path, short_repr


def load_metrics(directory: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Read the metrics of a run as ``{name: [U,S]}``, or ``[U,S,N]`` for metrics per agent.

    ``U`` log points, ``S`` members; NaN if a metric was not measured. Damaged log points are left out with a warning. The
    result is empty for a run without log points.

    Raises:
        ConfigError: there is no such directory.
    """
    directory, there = file_path("directory", directory), False
    with contextlib.suppress(ValueError, OSError):
        there = directory.is_dir()
    if not there:
        raise ConfigError(f"directory is {short_repr(directory)}; allowed: the directory of a run.")
    return read(directory)
