"""Argument checks: each returns plain data, or raises a `ConfigError` that names the argument."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from influence_jax.settings import ConfigError, short_repr

MAX_COUNT = 10_000_000  # upper limit for numbers of draws, steps and symbols


def numbers(name: str, values: Any, axes: str, *, empty: bool = False) -> np.ndarray:
    """Return ``values`` as f64 with ``axes``, such as ``"[T,K,J]"``, ``"[...,N]"`` with any leading axes, or ``"[...]"``."""
    found = _array(name, values, "biuf", f"numbers {axes}")
    return _of_axes(name, found.astype(float), f"numbers {axes}", axes, empty)


def symbols(name: str, values: Any, axes: str, low: int = -(2**62), high: int = 2**62) -> np.ndarray:
    """Return ``values`` as i64 with ``axes``, each from ``low`` to ``high``."""
    limits = f" from {low} to {high}" if high < 2**62 else ""
    wanted = f"whole numbers{limits} {axes}"
    found = _of_axes(name, _array(name, values, "biu", wanted), wanted, axes, False)
    if found.min() < low or found.max() > high:
        raise ConfigError(f"{name} has values from {found.min()} to {found.max()}; allowed: {wanted}.")
    return found.astype(np.int64)


def booleans(name: str, values: Any, axes: str) -> np.ndarray:
    """Return ``values``, true or false or 0 or 1, as bool with ``axes``."""
    wanted = f"true or false {axes}"
    found = _of_axes(name, _array(name, values, "biuf", wanted), wanted, axes, False)
    if not np.isin(found, (0, 1)).all():
        raise ConfigError(f"{name} is {short_repr(values)}; allowed: {wanted}.")
    return found.astype(bool)


def same_shape(**arrays: np.ndarray) -> None:
    """Refuse arrays of different shapes."""
    if len({array.shape for array in arrays.values()}) > 1:
        shapes = " and ".join(f"{name} has shape {list(array.shape)}" for name, array in arrays.items())
        raise ConfigError(f"{shapes}; allowed: one shape.")


def whole(name: str, value: Any, low: int = 1, high: int = MAX_COUNT) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ConfigError(f"{name} is {short_repr(value)}; allowed: whole numbers from {low} to {high}.")
    return int(value)


def number(name: str, value: Any, low: float, high: float = 1e15) -> float:
    """Return a number."""
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not real or not low <= value <= high:
        raise ConfigError(f"{name} is {short_repr(value)}; allowed: numbers from {low:g} to {high:g}.")
    return float(value)


def random_seed(value: Any) -> int:
    """Return ``seed``."""
    return whole("seed", value, 0, 2**63 - 1)


def generator(seed: Any) -> np.random.Generator:
    """Return a random generator seeded with ``seed``."""
    return np.random.default_rng(random_seed(seed))


def level(value: Any) -> float:
    """Return the level of an interval, ``confidence``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise ConfigError(f"confidence is {short_repr(value)}; allowed: numbers between 0 and 1, such as 0.95.")
    return float(value)


def function(name: str, value: Any) -> Callable[..., Any]:
    """Return a function."""
    if not callable(value):
        raise ConfigError(f"{name} is {short_repr(value)}; allowed: a function.")
    return value


def text(name: str, value: Any) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {short_repr(value)}; allowed: a text.")
    return value


def instance(name: str, value: Any, kind: type, source: str) -> Any:
    """Return an object of class ``kind``; ``source`` names the function that makes it, for the error."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {short_repr(value)}; allowed: what {source} returns.")
    return value


def _array(name: str, values: Any, kinds: str, wanted: str) -> np.ndarray:
    try:
        found = np.asarray(values)
    except Exception as error:  # ragged, or an object that merely looks like an array
        raise ConfigError(f"{name} is {short_repr(values)}; allowed: {wanted}.") from error
    if found.dtype.kind not in kinds and not (found.size == 0 and isinstance(values, list | tuple)):
        raise ConfigError(f"{name} is {short_repr(values)}; allowed: {wanted}.")
    return found


def _of_axes(name: str, found: np.ndarray, wanted: str, axes: str, empty: bool) -> np.ndarray:
    named = [axis for axis in re.split(r"[\[\],\s]+", axes) if axis]
    least = len([axis for axis in named if axis != "..."])
    if found.ndim < least or (found.ndim > least and "..." not in named):
        raise ConfigError(f"{name} has shape {list(found.shape)}; allowed: {wanted}.")
    if found.size == 0 and not empty:
        raise ConfigError(f"{name} is empty, of shape {list(found.shape)}; allowed: {wanted}.")
    return found
