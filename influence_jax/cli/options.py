"""Command-line options, generated from the declarations of the settings."""

import argparse
import collections
import contextlib
import dataclasses
import io
import json
import pathlib
import re
import typing
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import tyro

from influence_jax.settings import (
    Allowed,
    Choices,
    ConfigError,
    Integers,
    Numbers,
    Texts,
    checked,
    file_path,
    nearest,
    whole_number,
)

Options = TypeVar("Options")


def parse(options: type[Options], arguments: list[str], prog: str, description: str | None = None) -> Options:
    """Parse the arguments into a class of options, whose docstring the help shows unless it is given a description.

    Raises:
        ConfigError: an option is unknown or malformed.
    """
    refuse_unknown(arguments, option_names(options))
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return _with_paths(tyro.cli(options, args=arguments, prog=prog, description=description))
    except SystemExit as stop:
        if not stop.code:
            raise
        body = said.getvalue().partition("\n")[2]  # below the title of the frame
        words = re.sub(r"[^\x20-\x7e\n]", " ", body).split()
        text = " ".join(word for word in words if word.strip("-"))  # where output is ASCII, rules are dashes
        problem = re.split(" Argument helptext| For full helptext", text)[0].rstrip(".")
        raise ConfigError(f"{problem}; {prog} --help lists what is allowed.") from None


def _with_paths(given: Any) -> Any:
    """Return the options with ``~`` expanded in every path; refuse URLs."""

    def path_of(name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(path_of(name, x) for x in value)
        return file_path(name, value) if isinstance(value, pathlib.Path) else value

    paths = {field.name: path_of(field.name, getattr(given, field.name)) for field in dataclasses.fields(given)}
    return dataclasses.replace(given, **paths)


def parse_some(parser: argparse.ArgumentParser, arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse the options that a parser knows; return them and the remaining arguments."""
    try:
        for argument in arguments:
            if argument.startswith("--") and argument.endswith("=--"):  # argparse takes this for a missing value
                raise argparse.ArgumentError(None, f"argument {argument.removesuffix('=--')}: expected one argument")
        return parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}; allowed: an option with its value.") from None


def setting(name: str, allowed: Allowed | None, help: str, default: Any) -> tuple[str, Any, Any]:
    """Return a field for `dataclasses.make_dataclass`.

    Text that does not parse is passed on unchanged, because the check of the setting gives the better error message.
    """
    if isinstance(allowed, Choices) and allowed.table == (True, False) and not allowed.optional:
        return name, Annotated[bool, tyro.conf.arg(help=help)], dataclasses.field(default=default)
    text = f"{help} Allowed: {allowed}." if allowed else help
    spec = tyro.constructors.PrimitiveConstructorSpec(
        nargs="*" if isinstance(allowed, Texts) else getattr(allowed, "length", None) or 1,
        metavar=_metavar(allowed),
        instance_from_str=_reader(allowed),
        is_instance=lambda value: True,
        str_from_instance=_shown,
    )
    return name, Annotated[Any, spec, tyro.conf.arg(help=text)], dataclasses.field(default=default)


def _shown(value: Any) -> list[str]:
    """Format a default for the help text, which has no room for a map."""
    if isinstance(value, tuple | list):
        return [str(x) for x in value] if len(value) < 5 else [f"{len(value)} rows"]
    return [str(value)]


def section(title: str, fields: list[tuple[str, Any, Any]]) -> type:
    """Return a class of options with these fields."""
    return dataclasses.make_dataclass(title, fields, frozen=True)


def _metavar(allowed: Allowed | None) -> str:
    match allowed:
        case Integers():
            return "INT"
        case Numbers(length=length):
            return " ".join(["FLOAT"] * (length or 1))
        case Choices():
            return "NAME"
        case Texts():
            return "[TEXT ...]"
    return "VALUE"


def _reader(allowed: Allowed | None) -> Callable[[list[str]], Any]:
    match allowed:
        case Integers():
            return lambda texts: read_integer(texts[0])
        case Numbers(length=length):
            return lambda texts: read_float(texts[0]) if length is None else tuple(map(read_float, texts))
        case Choices():
            return lambda texts: {"True": True, "False": False, "None": None}.get(texts[0], texts[0])
        case Texts():
            return _read_rows
    return lambda texts: _read_json(texts[0])


def read_integer(text: str) -> int | float | str:
    """Parse an integer, such as 2000000 or 2e6; return anything else as it is."""
    try:
        return int(text)
    except ValueError:
        return whole_number(read_float(text))


def read_float(text: str) -> float | str:
    """Parse a number; return any other text unchanged."""
    try:
        return float(text)
    except ValueError:
        return text


def _read_rows(texts: list[str]) -> tuple[str, ...] | str:
    """Read the rows from a file if given ``@FILE``; otherwise the texts are the rows."""
    if len(texts) != 1 or not texts[0].startswith("@") or "\n" in texts[0]:
        return tuple(texts)
    path = file_path("a file of rows", texts[0][1:])
    try:
        return path.read_text()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{texts[0]!r} cannot be read: {error}; allowed: @FILE, or the rows themselves.") from None


def _read_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


def option_names(options: type, prefix: str = "") -> list[str]:
    """Return every ``--option`` of a class of options, with the ``no-`` form of flags."""
    names = []
    for field in dataclasses.fields(options):
        annotated = typing.get_origin(field.type) is Annotated
        kind = typing.get_args(field.type)[0] if annotated else field.type
        hints = typing.get_args(field.type)[1:] if annotated else ()
        given = [hint.name for hint in hints if getattr(hint, "name", None) is not None]
        name = given[0] if given else field.name.replace("_", "-")
        if tyro.conf.Positional in hints or "Positional" in str(hints):
            continue
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            names += option_names(kind, f"{prefix}{name}." if name else prefix)
        else:
            paired = kind is bool and tyro.conf.FlagCreatePairsOff not in hints
            names += [f"--{prefix}{name}"] + ([f"--{prefix}no-{name}"] if paired else [])
    return names


def in_full(arguments: list[str], known: list[str]) -> list[str]:
    """Expand options given by the last part of their path, such as ``--algorithm``, where that is unique."""

    def full(argument: str) -> str:
        name, equals, value = argument.partition("=")
        fitting = [option for option in known if option.endswith("." + name.removeprefix("--").replace("_", "-"))]
        return (
            fitting[0] + equals + value
            if name.startswith("--") and name not in known and len(fitting) == 1
            else argument
        )

    return [full(argument) for argument in arguments]


def only(arguments: list[str], known: list[str]) -> list[str]:
    """Return the arguments without unknown options and their values."""
    kept, keep = [], False
    for argument in arguments:
        if argument == "-h" or argument.startswith("--"):
            keep = argument.partition("=")[0].replace("_", "-") in known
        kept += [argument] if keep else []
    return kept


def refuse_unknown(arguments: list[str], known: list[str]) -> None:
    """Raise a `ConfigError` for an option that is unknown or given twice."""
    for argument in arguments:
        name = argument.partition("=")[0].replace("_", "-")
        if argument.startswith("--") and name not in [*known, "--help"]:
            raise ConfigError(f"{name} is not an option.{nearest(name, known)} (--help lists all options.)")
    given = collections.Counter(
        argument.partition("=")[0].replace("_", "-") for argument in arguments if argument[:2] == "--"
    )
    twice = [name for name, count in given.items() if count > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is given {given[twice[0]]} times; allowed: once.")


def whole(low: int, high: int, help: str, optional: bool = False) -> tuple[Any, ...]:
    """Return what annotates a whole-number option, ``Annotated[int, *whole(...)]``, and `check` enforces."""
    allowed = Integers(low, high, optional=optional)
    return *typing.get_args(setting("", allowed, help, None)[1])[1:], allowed


def check(options: Any) -> None:
    """Raise a `ConfigError` for the first `whole` option that is out of range."""
    for field in dataclasses.fields(options):
        for hint in typing.get_args(field.type)[1:] if typing.get_origin(field.type) is Annotated else ():
            if isinstance(hint, Allowed):
                checked(field.name, getattr(options, field.name), hint)
