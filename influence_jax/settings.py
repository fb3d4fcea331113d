"""What a setting may be: each field of a configuration carries its help and its range or its choices.

A field is declared by `integer`, `number`, `choice`, `flag` or `texts`; checks, refusals, ``--help`` and the docs read that
declaration, so that nothing is said twice. Nothing here imports JAX, so that a wrong setting is refused at once.
"""

import dataclasses
import difflib
import importlib
import math
import numbers
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

INT32_MAX = 2**31 - 1
FLOAT32_MAX = 3.4028234663852886e38


class ConfigError(ValueError):
    """A setting that cannot be used; the message names the setting, its value and what is allowed."""


@dataclasses.dataclass(frozen=True)
class Allowed:
    """What a value may be; `str` of it ends the sentence "allowed: ..."."""

    optional: bool = dataclasses.field(default=False, kw_only=True)  # None stands for a default from elsewhere

    def accept(self, value: Any) -> Any:
        """Return the value as plain Python data; raise a ValueError if it is not allowed."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """Return what there is to choose from, for hints; nothing for a range."""
        return []


@dataclasses.dataclass(frozen=True)
class Integers(Allowed):
    """Whole numbers of a range."""

    low: int
    high: int = INT32_MAX

    def accept(self, value: Any) -> int:
        """Accept Python's and NumPy's integers."""
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not self.low <= value <= self.high:
            raise ValueError
        return int(value)

    def __str__(self) -> str:
        return f"whole numbers from {self.low} to {self.high}" if self.low < self.high else str(self.low)


@dataclasses.dataclass(frozen=True)
class Numbers(Allowed):
    """Finite numbers of a range that float32 can hold, or ``length`` of them."""

    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    length: int | None = None

    def accept(self, value: Any) -> float | tuple[float, ...]:
        """Accept Python's and NumPy's numbers."""
        if self.length is None:
            return self._accept_one(value)
        if not hasattr(value, "__getitem__") or isinstance(value, str | dict) or len(value) != self.length:
            raise ValueError
        return tuple(self._accept_one(getattr(x, "item", lambda x=x: x)()) for x in value)

    def _accept_one(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not self.low <= value <= self.high:
            raise ValueError  # NaN is in no range
        return float(value)

    def __str__(self) -> str:
        count = "numbers" if self.length is None else f"{self.length} numbers"
        if self.high < FLOAT32_MAX:
            return f"{count} from {self.low:g} to {self.high:g}"
        return (
            f"{count} from {self.low:g} up that fit float32" if self.low > -FLOAT32_MAX else f"{count} that fit float32"
        )


@dataclasses.dataclass(frozen=True)
class Choices(Allowed):
    """One of some names, or ``"package.module:name"`` where one's own will do.

    ``table`` is where the names are implemented, ``"package.module:TABLE"``, and imported only when somebody asks; or the
    values themselves.
    """

    table: str | tuple[Any, ...]
    custom: bool = False  # whether a path will do, too
    others: tuple[str, ...] = ()  # names beside those of the table

    def names(self) -> list[Any]:
        """Return all names."""
        return [*(import_object(self.table) if isinstance(self.table, str) else self.table), *self.others]

    def accept(self, value: Any) -> Any:
        """Accept a name, or a path where paths are allowed."""
        if not (self.custom and is_path(value)) and (not isinstance(value, str | bool) or value not in self.names()):
            raise ValueError
        return value

    def __str__(self) -> str:
        return ", ".join(map(str, self.names())) + (" or 'package.module:name'" if self.custom else "")


@dataclasses.dataclass(frozen=True)
class Texts(Allowed):
    """Any number of texts, such as the rows of a map; with ``paths`` each is ``"package.module:name"``."""

    paths: bool = False

    def accept(self, value: Any) -> tuple[str, ...]:
        """Accept a sequence of texts, or one text with line breaks."""
        rows = tuple(value.strip("\n").split("\n") if isinstance(value, str) else value)
        if not all(isinstance(row, str) and (is_path(row) or not self.paths) for row in rows):
            raise ValueError
        return rows

    def __str__(self) -> str:
        return "texts of the form 'package.module:name'" if self.paths else "texts"


def integer(default: int | None, low: int, help: str, high: int = INT32_MAX, **more: Any) -> Any:
    """Declare a whole number."""
    return _field(default, Integers(low, high, optional=default is None), help, **more)


def number(default: float, low: float, high: float, help: str, **more: Any) -> Any:
    """Declare a number that is traced or static; infinite limits stand for what float32 holds."""
    return _field(default, Numbers(max(low, -FLOAT32_MAX), min(high, FLOAT32_MAX)), help, **more)


def value(low: float, high: float, help: str, length: int | None = None) -> Any:
    """Declare a number of a game, or ``length`` of them, whose default the game gives."""
    allowed = Numbers(max(low, -FLOAT32_MAX), min(high, FLOAT32_MAX), length)
    return dataclasses.field(metadata={"allowed": allowed, "help": help})


def choice(
    default: Any,
    table: str | tuple[Any, ...],
    help: str,
    custom: bool = False,
    others: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """Declare a choice; see `Choices`."""
    return _field(default, Choices(table, custom, others, optional=default is None), help, **more)


def flag(default: bool | None, help: str, **more: Any) -> Any:
    """Declare a switch."""
    return _field(default, Choices((True, False), optional=default is None), help, **more)


def texts(default: tuple[str, ...], help: str, paths: bool = False) -> Any:
    """Declare a sequence of texts."""
    return _field(default, Texts(paths), help)


def _field(
    default: Any,
    allowed: Allowed,
    help: str,
    used_with: dict[str, tuple[str, ...]] | None = None,
    unused_with: dict[str, Any] | None = None,
) -> Any:
    """Declare a field; with other settings by their paths, it is of use only with some choices, or not with a value."""
    metadata = {"allowed": allowed, "help": help, "used_with": used_with or {}, "unused_with": unused_with or {}}
    return dataclasses.field(default=default, metadata=metadata)


def checked(path: str, value: Any, allowed: Allowed) -> Any:
    """Return the value as plain data.

    Raises:
        ConfigError: it is not allowed.
    """
    if value is None and allowed.optional:
        return None
    try:
        return allowed.accept(value)
    except (ValueError, TypeError):
        hint = nearest(str(value), [str(name) for name in allowed.names()])
        if isinstance(allowed, Choices) and allowed.custom and not isinstance(value, str):
            part = path.rpartition(".")[2]
            hint = f" An object goes into the learner: dataclasses.replace(make_learner(config), {part}=...)."
        shown = " ".join(repr(value).split())  # an array has several lines
        raise ConfigError(f"{path} is {shown}; allowed: {allowed}.{hint}") from None


def check_fields(settings: Any) -> None:
    """Check every declared field of a frozen dataclass in place, as `checked` does."""
    for field in dataclasses.fields(settings):
        if "allowed" in field.metadata:
            value = checked(field.name, getattr(settings, field.name), field.metadata["allowed"])
            object.__setattr__(settings, field.name, value)


def nearest(name: Any, allowed: list[str]) -> str:
    """Return ' Did you mean ...?' for a misspelt name, or nothing."""
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5) if isinstance(name, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""


def said(value: Any) -> str:
    """Describe a value in a few words."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array of {value.dtype} of shape {list(value.shape)}"
    try:
        shown = " ".join(repr(value).split())
    except Exception:  # somebody's own
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:56]} ..."


def file_path(setting: str, value: Any) -> pathlib.Path:
    """Return the path of a file or a directory, ``~`` written out.

    Raises:
        ConfigError: it is no path, or a URL.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f"{setting} is {said(value)}; allowed: the path of a file or a directory.")
    if re.match("[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(value)):
        raise ConfigError(
            f"{setting} is {str(value)!r}, a URL; allowed: a path of this machine, where it may be mounted."
        )
    try:
        return pathlib.Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{setting} is {str(value)!r}, which cannot be found: {error}; allowed: a path.") from error


def is_path(name: Any) -> bool:
    """Whether a name is of the form ``"package.module:name"``."""
    return isinstance(name, str) and ":" in name


def import_object(path: str) -> Any:
    """Return what ``"package.module:name"`` names.

    Raises:
        ConfigError: there is no such module, or nothing of that name in it.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # whatever a module does while it is imported
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(
            f"{path!r} cannot be loaded ({problem}); allowed are names that Python can import."
        ) from error


def implementation(setting: str, name: str, table: dict[str, Any], kind: type | tuple[type, ...] = Callable) -> Any:
    """Return what a setting names: an entry of the table, or an object of one's own.

    Raises:
        ConfigError: there is no such name, or what it names is not of this ``kind``.
    """
    try:
        found = import_object(name) if is_path(name) else table.get(name) if isinstance(name, str) else None
    except ConfigError as error:
        raise ConfigError(f"{setting} is {error}") from error.__cause__
    if not isinstance(found, kind):
        own = "'package.module:name' of something that can be called"
        allowed = " or ".join(filter(None, (", ".join(table), own)))
        raise ConfigError(f"{setting} is {name!r}; allowed: {allowed}.{nearest(name, list(table))}")
    return found


def built(setting: str, build: Callable[[], Any], kind: type) -> Any:
    """Return what code of one's own makes.

    Raises:
        ConfigError: it fails, or makes something that is not of this ``kind``.
    """
    try:
        made = build()
    except ConfigError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"{setting} fails ({problem}); allowed is what returns a {kind.__name__}.") from error
    if not isinstance(made, kind):
        raise ConfigError(f"{setting} returned {type(made).__name__}; allowed is what returns a {kind.__name__}.")
    return made


def whole_number(value: Any) -> Any:
    """Read 2e6 as 2000000; leave alone what is not whole, for a check to refuse."""
    whole = isinstance(value, numbers.Real) and math.isfinite(value) and value == int(value)
    return int(value) if whole and not isinstance(value, bool) else value
