"""Where log points go beside a run's own files: TensorBoard, a table as CSV, Weights & Biases."""

import csv
import importlib
import importlib.util
import os
import pathlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from tensorboardX import SummaryWriter

from influence_jax import log_format
from influence_jax.analysis.tables import run_rows
from influence_jax.config import ConfigError, ExperimentConfig, to_dict

QUANTILES = (0.1, 0.5, 0.9)  # over members, in TensorBoard and W&B
Metrics = Mapping[str, np.ndarray]  # f32[S, ...]


class Logger(Protocol):
    """What takes log points after they are on disk; an ``OSError`` costs a warning, and the next point is tried again."""

    name: str

    def write(self, shared: dict[str, float], metrics: Metrics) -> None:
        """Take the values shared by all members (`log_format.SHARED`) and metrics f32[S, ...]."""

    def close(self) -> None:
        """Finish."""


def check(config: ExperimentConfig, path: pathlib.Path | None) -> None:
    """Refuse loggers that cannot be used, before anything is compiled.

    Raises:
        ConfigError: there is no directory, or W&B is not installed.
    """
    if config.loggers and path is None:
        raise ConfigError(f"loggers is {', '.join(config.loggers)} without out; allowed: with the directory of a run.")
    if "wandb" in config.loggers and importlib.util.find_spec("wandb") is None:
        raise ConfigError("loggers has wandb, which is not installed; install it: pip install 'influence_jax[wandb]'.")


def loggers_of(
    config: ExperimentConfig, directory: pathlib.Path, members: Sequence[Mapping[str, Any]], update: int
) -> list[Logger]:
    """Return the loggers that a configuration asks for, of a run that continues after ``update`` updates."""
    each = config.tensorboard == "members"
    found: list[Logger] = []
    if config.tensorboard != "none":
        found.append(TensorBoard(directory, each, after=update * config.steps_per_update))
    if "csv" in config.loggers:
        found.append(Csv(directory, members))
    if "wandb" in config.loggers:
        found.append(WandB(directory, each, to_dict(config) | {"members": list(members)}))
    return found


class TensorBoard:
    """Events in ``tensorboard/``, of the mean and quantiles over members or of each member."""

    name = "TensorBoard"

    def __init__(self, directory: pathlib.Path, each: bool, after: int = 0):
        """Replace what was shown of steps beyond ``after``."""
        self._directory, self._each, self._purge = directory / "tensorboard", each, after + 1
        self._writers: dict[str, SummaryWriter] = {}

    def write(self, shared: dict[str, float], metrics: Metrics) -> None:
        """Add scalars."""
        for name, folder, value in _of_each(metrics) if self._each else _of_all(metrics):
            if folder not in self._writers:
                place = str(self._directory / folder)
                self._writers[folder] = SummaryWriter(place, purge_step=self._purge, flush_secs=10)
            self._writers[folder].add_scalar(name, value, int(shared["env_steps"]))

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()


def _of_all(metrics: Metrics) -> Iterator[tuple[str, str, float]]:
    """Yield name, "", and value: the mean over members and, if there are several, quantiles."""
    for name, values in _numbers(metrics):
        yield name, "", float(np.nanmean(values))
        if len(values) > 1:
            for quantile, value in zip(QUANTILES, np.nanquantile(values, QUANTILES), strict=True):
                yield f"{name}/quantile_{quantile}", "", float(value)


def _of_each(metrics: Metrics) -> Iterator[tuple[str, str, float]]:
    """Yield name, member and value."""
    for name, values in _numbers(metrics):
        for member in np.flatnonzero(np.isfinite(values)):
            yield name, f"member_{member}", float(values[member])


def _numbers(metrics: Metrics) -> Iterator[tuple[str, np.ndarray]]:
    """Yield metrics with one number per member that any member has."""
    return ((name, x) for name, x in metrics.items() if x.ndim == 1 and np.isfinite(x).any())


class Csv:
    """``metrics.csv``: the rows of ``run.table()``, one per member and log point, as far as the run has come."""

    name = "metrics.csv"

    def __init__(self, directory: pathlib.Path, members: Sequence[Mapping[str, Any]]):
        """Begin anew, with everything that was recorded, at the first log point."""
        self._directory, self._members, self._complete = directory, members, False

    def write(self, shared: dict[str, float], metrics: Metrics) -> None:
        """Append rows, or write all again if the last rows are not known to be whole."""
        complete, self._complete = self._complete, False
        if complete:
            line, values = log_format.pack(shared, dict(metrics), 0)
            recorded = log_format.as_arrays([log_format.unpack(line, memoryview(values))])
        else:
            recorded = log_format.read(self._directory)
        with open(self._directory / "metrics.csv", "a" if complete else "w", newline="") as file:
            writer = csv.writer(file)
            for point in range(len(recorded["update"])):
                rows = run_rows({name: x[point : point + 1] for name, x in recorded.items()}, self._members)
                if not (complete or point):
                    writer.writerow(rows)
                writer.writerows(zip(*(_cells(column) for column in rows.values()), strict=True))
        self._complete = True

    def close(self) -> None:
        """Do nothing; rows are on disk."""


def _cells(column: np.ndarray) -> list[Any]:
    """Return values as text, NaN as nothing."""
    return ["" if x != x else x for x in column]


class WandB:
    """A run of Weights & Biases, of the mean and quantiles over members or of each member.

    Its project is ``WANDB_PROJECT`` or influence_jax, its name that of the directory, its group the directory above. A run that
    is resumed continues there.
    """

    name = "Weights & Biases"

    def __init__(self, directory: pathlib.Path, each: bool, config: dict[str, Any]):
        """Start it.

        Raises:
            ConfigError: it does not start, for instance without a login.
        """
        wandb: Any = importlib.import_module("wandb")
        self._each = each
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "influence_jax"),
                group=directory.resolve().parent.name,
                name=directory.resolve().name,
                id=_id(directory / "wandb" / "id"),
                resume="allow",
                dir=directory,
                config=config,
            )
        except Exception as error:
            problem = " ".join(str(error).split())
            raise ConfigError(
                f"loggers has wandb, which does not start ({type(error).__name__}: {problem}); allowed: after `wandb login`, or "
                "with WANDB_MODE=offline."
            ) from error

    def write(self, shared: dict[str, float], metrics: Metrics) -> None:
        """Log scalars at the number of environment steps."""
        scalars = _of_each(metrics) if self._each else _of_all(metrics)
        values = {f"{name}/{member}" if member else name: value for name, member, value in scalars}
        try:
            self._run.log({**shared, **values}, step=int(shared["env_steps"]))
        except Exception as error:  # errors of its own, which must not end a run
            raise OSError(" ".join(str(error).split())) from error

    def close(self) -> None:
        """Wait until everything is sent, or on disk if offline."""
        self._run.finish()


def _id(path: pathlib.Path) -> str:
    """Return the name by which W&B knows the run, the same after a resume."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(uuid.uuid4().hex[:8])
    return path.read_text()
