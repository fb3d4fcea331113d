"""Declarations of settings: each field of a configuration carries its help and its range or choices.

`integer`, `number`, `choice`, `flag` and `texts` declare a field. Checks, error messages and ``--help`` all read that one
declaration. This module does not import JAX, so a bad setting is refused at once.
"""

import dataclasses
import difflib
import functools
import importlib
import math
import numbers
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

INT32_MAX = 2**31 - 1
FLOAT32_MAX = 3.4028234663852886e38


class ConfigError(ValueError):
    """A setting that cannot be used. The message has the form ``SETTING is VALUE; allowed: WHAT``.

    >>> influence_jax.make("cleanup", waste_rule="lotery")
    Traceback (most recent call last):
        ...
    influence_jax.settings.ConfigError: env.waste_rule is 'lotery'; allowed: lottery, bernoulli. Did you mean 'lottery'?
    """


@dataclasses.dataclass(frozen=True)
class Allowed:
    """The allowed values of a setting; its `str` follows "allowed: " in messages."""

    optional: bool = dataclasses.field(
        default=False, kw_only=True
    )  # whether None is allowed, for a default from elsewhere

    def accept(self, value: Any) -> Any:
        """Return the value as plain Python data; raise a ValueError if it is not allowed."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """Return the names to choose from, for hints; empty for a range."""
        return []


@dataclasses.dataclass(frozen=True)
class Integers(Allowed):
    """Whole numbers in a range."""

    low: int
    high: int = INT32_MAX

    def accept(self, value: Any) -> int:
        """Accept integers of Python and NumPy."""
        if not is_number(value, numbers.Integral) or not self.low <= value <= self.high:
            raise ValueError
        return int(value)

    def __str__(self) -> str:
        return f"whole numbers from {self.low} to {self.high}" if self.low < self.high else str(self.low)


@dataclasses.dataclass(frozen=True)
class Numbers(Allowed):
    """Finite numbers in a range that float32 can represent, or ``length`` of them."""

    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    length: int | None = None

    def accept(self, value: Any) -> float | tuple[float, ...]:
        """Accept numbers of Python and NumPy."""
        if self.length is None:
            return self._accept_one(value)
        if not hasattr(value, "__getitem__") or isinstance(value, str | dict) or len(value) != self.length:
            raise ValueError
        return tuple(self._accept_one(getattr(x, "item", lambda x=x: x)()) for x in value)

    def _accept_one(self, value: Any) -> float:
        if not is_number(value) or not self.low <= value <= self.high:
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
    """One of several names; with a ``group``, your own code, too: its path ``"package.module:name"``, or a registered name.

    ``table`` is either the values themselves or ``"package.module:TABLE"``, where they are implemented; that module is only
    imported when needed.
    """

    table: str | tuple[Any, ...]
    group: str = ""  # of the entry points by which installed packages register names, see `plugins`
    others: tuple[str, ...] = ()  # names in addition to the table's

    def own(self) -> list[Any]:
        """Return the names that are not registered by other packages."""
        return [*(import_object(self.table) if isinstance(self.table, str) else self.table), *self.others]

    def names(self) -> list[Any]:
        """Return all names."""
        return [*self.own(), *(plugins(self.group) if self.group else ())]

    def accept(self, value: Any) -> Any:
        """Accept a name, or a path where paths are allowed."""
        if not (self.group and is_path(value)) and (not isinstance(value, str | bool) or value not in self.own()):
            raise ValueError
        return value

    def __str__(self) -> str:
        return ", ".join(map(str, self.names())) + (" or 'package.module:name'" if self.group else "")


@dataclasses.dataclass(frozen=True)
class Texts(Allowed):
    """Any number of strings, such as the rows of a map; with ``paths`` each is ``"package.module:name"``.

    With a ``table``, each is one of its names, once.
    """

    paths: bool = False
    table: tuple[str, ...] = ()

    def accept(self, value: Any) -> tuple[str, ...]:
        """Accept a sequence of strings, or one string with line breaks."""
        rows = tuple(value.strip("\n").split("\n") if isinstance(value, str) else value)
        if not all(isinstance(row, str) and (is_path(row) or not self.paths) for row in rows):
            raise ValueError
        if self.table and (not {*rows} <= {*self.table} or len({*rows}) < len(rows)):
            raise ValueError
        return rows

    def __str__(self) -> str:
        if self.table:
            return f"any of {', '.join(self.table)}"
        return "strings of the form 'package.module:name'" if self.paths else "strings"


def integer(default: int | None, low: int, help: str, high: int = INT32_MAX, **more: Any) -> Any:
    """Declare a whole number."""
    return _field(default, Integers(low, high, optional=default is None), help, **more)


def number(default: float, low: float, high: float, help: str, **more: Any) -> Any:
    """Declare a number, traced or static; infinite limits become the limits of float32."""
    return _field(default, Numbers(max(low, -FLOAT32_MAX), min(high, FLOAT32_MAX)), help, **more)


def value(low: float, high: float, help: str, length: int | None = None) -> Any:
    """Declare a parameter of a game, or ``length`` of them; the game provides the default."""
    allowed = Numbers(max(low, -FLOAT32_MAX), min(high, FLOAT32_MAX), length)
    return dataclasses.field(metadata={"allowed": allowed, "help": help})


def choice(
    default: Any,
    table: str | tuple[Any, ...],
    help: str,
    group: str = "",
    others: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """Declare a choice; see `Choices`."""
    return _field(default, Choices(table, group, others, optional=default is None), help, **more)


def flag(default: bool | None, help: str, **more: Any) -> Any:
    """Declare a boolean."""
    return _field(default, Choices((True, False), optional=default is None), help, **more)


def texts(default: tuple[str, ...], help: str, paths: bool = False, table: tuple[str, ...] = (), **more: Any) -> Any:
    """Declare a sequence of strings; see `Texts`."""
    return _field(default, Texts(paths, table), help, **more)


def _field(
    default: Any,
    allowed: Allowed,
    help: str,
    used_with: dict[str, tuple[str, ...]] | None = None,
    unused_with: dict[str, Any] | None = None,
) -> Any:
    """Declare a field, with the values of other settings that use it (``used_with``) or do not (``unused_with``), by path."""
    metadata = {"allowed": allowed, "help": help, "used_with": used_with or {}, "unused_with": unused_with or {}}
    return dataclasses.field(default=default, metadata=metadata)


def checked(path: str, value: Any, allowed: Allowed) -> Any:
    """Return the value as plain data; the path instead of a name that an installed package registers.

    Raises:
        ConfigError: the value is not allowed.
    """
    if value is None and allowed.optional:
        return None
    if isinstance(allowed, Choices) and allowed.group:
        value = in_full(path, value, allowed.own(), allowed.group)
    try:
        return allowed.accept(value)
    except (ValueError, TypeError):
        hint = nearest(str(value), [str(name) for name in allowed.names()])
        if isinstance(allowed, Choices) and allowed.group and not isinstance(value, str):
            part = path.rpartition(".")[2]
            hint = f" To use an object, put it into the learner: dataclasses.replace(make_learner(config), {part}=...)."
        shown = " ".join(repr(value).split())  # the repr of an array has several lines
        raise ConfigError(f"{path} is {shown}; allowed: {allowed}.{hint}") from None


def checked_numbers(path: str, values: Any, known: Mapping[str, Allowed], what: str) -> dict[str, Any]:
    """Apply `checked` to numbers by name; ``what`` completes the sentence "PATH.NAME is not ..." for an unknown name.

    Raises:
        ConfigError: a name is unknown, or a value is not allowed.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path} is {values!r}; allowed: names and values.")
    for name in values:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise ConfigError(f"{path}.{name} is not {what}; allowed: {allowed}.{nearest(name, list(known))}")
    return {name: checked(f"{path}.{name}", value, known[name]) for name, value in values.items()}


def check_fields(settings: Any) -> None:
    """Apply `checked` to every declared field of a frozen dataclass, in place."""
    for field in dataclasses.fields(settings):
        if "allowed" in field.metadata:
            value = checked(field.name, getattr(settings, field.name), field.metadata["allowed"])
            object.__setattr__(settings, field.name, value)


def nearest(name: Any, allowed: list[str]) -> str:
    """Return " Did you mean ...?" for a misspelt name, or an empty string."""
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5) if isinstance(name, str) else []
    return f" Did you mean {close[0]!r}?" if close else ""


def short_repr(value: Any) -> str:
    """Describe a value briefly, for a message."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array of {value.dtype} of shape {list(value.shape)}"
    try:
        shown = " ".join(repr(value).split())
    except Exception:  # a user's own __repr__ may raise anything
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:56]} ..."


def counted(number: int, noun: str) -> str:
    """Return ``1 seed`` or ``1,000 seeds``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def settings_repr(self: Any) -> str:
    """Return ``Name(field=value, ...)`` with the fields of a dataclass that differ from their defaults; to be a ``__repr__``."""
    fields = dataclasses.fields(self) if dataclasses.is_dataclass(self) else ()
    shown = []
    for field in fields:
        value, array = getattr(self, field.name), hasattr(getattr(self, field.name), "dtype")
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if field.init and (array or value != default):
            shown.append(f"{field.name}={repr(value) if dataclasses.is_dataclass(value) else short_repr(value)}")
    return f"{type(self).__name__}({', '.join(shown)})"


def file_path(setting: str, value: Any) -> pathlib.Path:
    """Return the path of a file or directory, with ``~`` expanded.

    Raises:
        ConfigError: the value is not a path, or is a URL.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f"{setting} is {short_repr(value)}; allowed: the path of a file or directory.")
    if re.match("[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(value)):
        raise ConfigError(
            f"{setting} is {str(value)!r}, a URL; allowed: a path on this machine, such as a mount of it."
        )
    try:
        return pathlib.Path(value).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{setting} is {str(value)!r}, which cannot be found: {error}; allowed: a path.") from error


def is_path(name: Any) -> bool:
    """Whether a name has the form ``"package.module:name"``."""
    return isinstance(name, str) and ":" in name


@functools.cache
def plugins(group: str) -> dict[str, tuple[str, ...]]:
    """Return what installed packages register in a group of entry points: by name the paths ``"package.module:name"``.

    Nothing is imported. A name has several paths where packages contradict each other.
    """
    from importlib.metadata import entry_points  # a tenth of a second, which help should not take

    paths: dict[str, tuple[str, ...]] = {}
    for entry in sorted(entry_points(group=group)):
        paths[entry.name] = tuple(dict.fromkeys((*paths.get(entry.name, ()), entry.value)))
    return paths


def in_full(setting: str, name: Any, own: Iterable[str], group: str) -> Any:
    """Return the path of a name that an installed package registers in a ``group``; any other name as it is.

    Raises:
        ConfigError: the name is also one of our ``own``, or several packages register it.
    """
    paths = list(plugins(group).get(name, ())) if isinstance(name, str) else []
    if not paths:
        return name
    if len(paths) > 1 or name in own:
        meanings = [*(["this package"] if name in own else []), *map(repr, paths)]
        raise ConfigError(
            f"{setting} is {name!r}, a name of {' and of '.join(meanings)}; allowed: names that one package alone registers, or "
            "'package.module:name'."
        )
    return paths[0]


def import_object(path: str) -> Any:
    """Return what ``"package.module:name"`` names.

    Raises:
        ConfigError: the module cannot be imported, or has nothing of that name.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # importing a module can raise anything
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"{path!r} cannot be loaded ({problem}); allowed: names that Python can import.") from error


def implementation(setting: str, name: str, table: dict[str, Any], kind: Any = Callable) -> Any:
    """Return what a setting names: an entry of the table, or the object at a path.

    Raises:
        ConfigError: the name is unknown, or what it names is not of this ``kind``.
    """
    try:
        found = import_object(name) if is_path(name) else table.get(name) if isinstance(name, str) else None
    except ConfigError as error:
        raise ConfigError(f"{setting} {error}") from error.__cause__
    if not isinstance(found, kind):
        own = "'package.module:name' of a callable"
        allowed = " or ".join(filter(None, (", ".join(table), own)))
        raise ConfigError(f"{setting} is {name!r}; allowed: {allowed}.{nearest(name, list(table))}")
    return found


def built(setting: str, build: Callable[[], Any], kind: type) -> Any:
    """Return what a user's own code builds.

    Raises:
        ConfigError: the code raises, or returns something that is not of this ``kind``.
    """
    try:
        made = build()
    except ConfigError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"{setting} fails ({problem}); allowed: callables that return {kind.__name__}.") from error
    if not isinstance(made, kind):
        raise ConfigError(f"{setting} returned {type(made).__name__}; allowed: callables that return {kind.__name__}.")
    return made


def is_number(value: Any, kind: type = numbers.Real) -> bool:
    """Whether a value is a number of this ``kind``, of Python or NumPy; truth values are none."""
    return isinstance(value, kind) and not isinstance(value, bool)


def whole_number(value: Any) -> Any:
    """Turn 2e6 into 2000000; return anything that is not whole unchanged, for a later check to refuse."""
    return int(value) if is_number(value) and math.isfinite(value) and value == int(value) else value
