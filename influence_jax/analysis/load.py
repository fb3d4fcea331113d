"""Reading what a run wrote."""

import contextlib
import pathlib

import numpy as np

from influence_jax.log_format import read
from influence_jax.settings import ConfigError, file_path, said


def load_metrics(directory: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Read what a run recorded as ``{name: [U,S]}``, or ``[U,S,N]`` for what each agent has.

    ``U`` counts log points and ``S`` members; what was not measured is NaN. Log points that are damaged are left out, with a
    warning. A run that has none yet gives nothing.

    Raises:
        ConfigError: there is no such directory.
    """
    directory, there = file_path("directory", directory), False
    with contextlib.suppress(ValueError, OSError):
        there = directory.is_dir()
    if not there:
        raise ConfigError(f"directory is {said(directory)}; allowed: the directory of a run.")
    return read(directory)
