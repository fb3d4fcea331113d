"""The settings that a sweep tries: grids, random draws, and their names."""

import dataclasses
import itertools
import json
import math
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax import envs
from influence_jax.config import ConfigError, ExperimentConfig, Hyperparams, declared, full_path
from influence_jax.learner.learner import numbers_of
from influence_jax.settings import Integers, checked, file_path, whole_number

KINDS = ("log", "uniform", "choice")
HYPERPARAMS = "hyperparams."
HYPERPARAM_NAMES = {name for name, _, _ in declared(Hyperparams())}


@dataclasses.dataclass(frozen=True)
class Draw:
    """A distribution of one setting: ``log`` or ``uniform`` between two numbers, or ``choice`` among values."""

    kind: str
    values: tuple[Any, ...]

    def sample(self, rng: np.random.Generator, count: int) -> list[Any]:
        """Return ``count`` independent draws."""
        if self.kind == "choice":
            return [self.values[i] for i in rng.integers(len(self.values), size=count)]
        low, high = self.values
        if self.kind == "uniform":
            return rng.uniform(low, high, count).tolist()
        return np.exp(rng.uniform(math.log(low), math.log(high), count)).tolist()

    def __str__(self) -> str:
        return ":".join([self.kind, *(map(str, self.values) if self.kind != "choice" else [_join(self.values)])])


@dataclasses.dataclass(frozen=True)
class Space:
    """The settings of a sweep: every combination of ``grid``, each with ``trials`` draws of ``random``.

    Draws depend only on ``seed``, the setting's name and their number, so that a baseline and a treatment with the same space try
    the same values. If trials are ``listed`` one by one, there is no grid and no random.
    """

    grid: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    random: Mapping[str, Draw] = dataclasses.field(default_factory=dict)
    trials: int = 1
    seed: int = 0
    listed: Sequence[Mapping[str, Any]] = ()

    def settings(self) -> list[dict[str, Any]]:
        """Return the settings of every trial."""
        if self.listed:
            return [dict(trial) for trial in self.listed]
        combinations = list(itertools.product(*self.grid.values()))
        rngs = {name: np.random.default_rng([self.seed, zlib.crc32(name.encode())]) for name in self.random}
        drawn = {name: draw.sample(rngs[name], self.trials) for name, draw in self.random.items()}
        return [
            dict(zip(self.grid, values, strict=True)) | {name: column[t] for name, column in drawn.items()}
            for values in combinations
            for t in range(self.trials)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the space as plain data that `read` understands."""
        if self.listed:
            return {"listed": [dict(trial) for trial in self.listed]}
        return {
            "grid": {name: list(values) for name, values in self.grid.items()},
            "random": {name: str(draw) for name, draw in self.random.items()},
            "trials": self.trials,
            "seed": self.seed,
        }


def make_space(
    config: ExperimentConfig,
    grid: Mapping[str, Sequence[Any]] | None = None,
    random: Mapping[str, str | Draw] | None = None,
    trials: int = 1,
    seed: int = 0,
    listed: Sequence[Mapping[str, Any]] | None = None,
) -> Space:
    """Return a space with full names of settings: a hyper-parameter by its name, any other setting by its path.

    Args:
        config: the experiment whose settings these are.
        grid: values of each setting. A name may be a hyper-parameter's, ``"learning_rate"``, a path, ``"network.critic"`` or
            ``"hyperparams.learning_rate"``, or the last part of a path if it is unique.
        random: ``"log:1e-4:1e-2"``, ``"uniform:0:1"`` or ``"choice:a,b"`` for each setting.
        trials: draws for each combination of the grid.
        seed: of the draws.
        listed: the settings of each trial, instead of all these; the same settings in every trial.

    Raises:
        ConfigError: a setting is unknown or given twice, or a distribution cannot be read.
    """
    for name, given in (("grid", grid), ("random", random)):
        if given is not None and not isinstance(given, Mapping):
            raise ConfigError(f"{name} is a {type(given).__name__}; allowed: settings by their names.")
    if listed is not None and not isinstance(listed, list | tuple):
        raise ConfigError(f"listed is a {type(listed).__name__}; allowed: settings with their values, trial by trial.")
    grid, random, known = dict(grid or {}), dict(random or {}), names_of(config)
    if listed:
        return Space(listed=_listed(listed, known, other=bool(grid or random or trials != 1 or seed)))
    if not grid and not random:
        raise ConfigError("grid and random are empty; allowed: at least one setting to vary.")
    trials, seed = (
        checked("trials", whole_number(trials), Integers(1)),
        checked("draw_seed", whole_number(seed), Integers(0)),
    )
    if trials > 1 and not random:
        raise ConfigError(f"trials is {trials} without random, whose draws it counts; allowed: 1.")
    full: dict[str, Any] = {}
    for name, values in [*grid.items(), *random.items()]:
        path = full_name(name, known)
        if path in full:
            raise ConfigError(f"{path} is given twice; allowed: once, in grid or in random.")
        full[path] = read_draw(path, values) if name in random else _values(path, values)
    draws = {path: x for path, x in full.items() if isinstance(x, Draw)}
    return Space({path: x for path, x in full.items() if path not in draws}, draws, trials, seed)


def read(path: str | pathlib.Path) -> dict[str, Any]:
    """Read a JSON file with ``grid``, ``random``, ``trials`` and ``seed``, or ``listed``, as arguments of `make_space`."""
    try:
        values = json.loads(file_path("space", path).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"space {str(path)!r} cannot be read: {error}; allowed: a file of JSON.") from None
    known = [field.name for field in dataclasses.fields(Space)]
    if not isinstance(values, dict) or not set(values) <= set(known):
        raise ConfigError(f"space {str(path)!r} holds something else than {', '.join(known)}; allowed: only these.")
    return values


def names_of(config: ExperimentConfig) -> list[str]:
    """Return the names of all settings that a trial may change, including those of the game.

    A hyper-parameter has its own name, as in `influence_jax.train` and ``members.json``, and ``own.NAME`` if a part of your own
    declares it; any other setting has its path.
    """
    _, params, _ = envs.configured(config.env)
    numbers = [field.name for field in dataclasses.fields(params)] if dataclasses.is_dataclass(params) else []
    fixed = {
        "seeds",
        "seed",
        "total_steps",
        "log_interval",
        "checkpoint_interval",
        "checkpoint_minutes",
        "keep",
        "tensorboard",
        "loggers",
    }
    return [
        *(path.removeprefix(HYPERPARAMS) for path, _, _ in declared(config) if path not in fixed),
        *(f"own.{name}" for name in numbers_of(config)),
        *(f"env.{field.name}" for field in envs.option_fields(config.env.name)),
        *(f"env.params.{name}" for name in numbers),
    ]


def full_name(name: str, known: list[str]) -> str:
    """Return the full name of a setting given by its path, its name or the last part of its path."""
    return full_path(name.replace("-", "_").removeprefix(HYPERPARAMS), known, "setting of a sweep")


def is_traced(name: str) -> bool:
    """Return whether members of one program may differ in a setting."""
    return name in HYPERPARAM_NAMES or name.startswith(("own.", "env.params."))


def read_draw(path: str, text: str | Draw) -> Draw:
    """Read ``log:1e-4:1e-2``, ``uniform:0:1`` or ``choice:a,b``."""
    if isinstance(text, Draw):
        return text
    kind, _, rest = str(text).partition(":")
    try:
        values = tuple(read_values(rest)) if kind == "choice" else tuple(float(x) for x in rest.split(":"))
        if kind not in KINDS or not values or (kind != "choice" and not (len(values) == 2 and values[0] < values[1])):
            raise ValueError
        if (kind == "log" and values[0] <= 0) or not all(math.isfinite(x) for x in values if isinstance(x, float)):
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"random {path} is {text!r}; allowed: log:LOW:HIGH with 0 < LOW < HIGH, uniform:LOW:HIGH, choice:A,B,..."
        ) from None
    return Draw(kind, values)


def read_values(text: str) -> list[Any]:
    """Read ``1e-3,3e-4`` or ``shared,detached``; vectors are in brackets: ``[0,.1],[0,.2]``."""
    try:
        return [_tuple(x) for x in json.loads(f"[{text}]")]
    except ValueError:
        return [_read_value(part) for part in text.split(",")] if text else []


def _read_value(text: str) -> Any:
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    try:
        return whole_number(float(text)) if text.strip() == text and text else text
    except ValueError:
        return text


def _values(path: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray) or len(values) == 0:
        raise ConfigError(f"grid {path} is {values!r}; allowed: sequences of at least one value.")
    plain = tuple(_tuple(x.tolist() if hasattr(x, "tolist") else x) for x in values)
    if len(set(map(repr, plain))) < len(plain):
        raise ConfigError(f"grid {path} is {values!r}; allowed: each value once.")
    return plain


def _listed(listed: Any, known: list[str], other: bool) -> tuple[dict[str, Any], ...]:
    if other:
        raise ConfigError("listed is given beside grid, random, trials or seed; allowed: listed alone.")
    if not isinstance(listed, Sequence) or not all(isinstance(trial, Mapping) and trial for trial in listed):
        raise ConfigError(f"listed is {listed!r}; allowed: settings with their values, trial by trial.")
    trials = tuple({full_name(name, known): _tuple(x) for name, x in trial.items()} for trial in listed)
    for trial in trials:
        if trial.keys() != trials[0].keys():
            raise ConfigError(
                f"listed has trials of {', '.join(trials[0])} and of {', '.join(trial)}; allowed: the same settings in each."
            )
    return trials


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _join(values: Sequence[Any]) -> str:
    return ",".join(x if isinstance(x, str) else json.dumps(x) for x in values)
