"""Options generated from declared settings, and parsing of their values."""

import dataclasses
import pathlib
from typing import Annotated, Any

import pytest
import tyro

from influence_jax.cli.options import (
    check,
    in_full,
    option_names,
    parse,
    read_float,
    read_integer,
    refuse_unknown,
    section,
    setting,
    whole,
)
from influence_jax.settings import Choices, ConfigError, Integers, Numbers, Texts

INNER = section(
    "inner",
    [
        setting("num_cells", Integers(1), "Cells.", 3),
        setting("rates", Numbers(0, 1, length=2), "Rates.", (0.5, 0.5)),
        setting("rows", Texts(), "Rows.", ()),
        setting("rule", Choices(("a", "b")), "Rule.", "a"),
        setting("loud", Choices((True, False)), "Loud.", False),
        setting("quiet", Choices((True, False), optional=True), "Quiet.", None),
        setting("free", None, "Free.", 1),
    ],
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a test."""

    place: tyro.conf.Positional[str]
    inner: INNER = dataclasses.field(default_factory=INNER)
    start: Annotated[str | None, tyro.conf.arg(name="from")] = None


def inner(*arguments: str) -> dict[str, Any]:
    given = parse(Options, ["here", *arguments], "test").inner
    return {name: value for name, value in vars(given).items() if value != getattr(INNER(), name)}


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ("", {}),
        ("--inner.num-cells 2e6", {"num_cells": 2_000_000}),
        ("--inner.num_cells 4", {"num_cells": 4}),
        ("--inner.num-cells=many", {"num_cells": "many"}),  # for the declaration to refuse
        ("--inner.rates 0 1", {"rates": (0.0, 1.0)}),
        ("--inner.rows @P P@", {"rows": ("@P", "P@")}),
        ("--inner.rule b", {"rule": "b"}),
        ("--inner.loud", {"loud": True}),
        ("--inner.quiet False", {"quiet": False}),
        ("--inner.free [1,2]", {"free": (1, 2)}),
        ("--inner.free text", {"free": "text"}),
    ],
)
def test_texts_become_values(arguments, changes):
    assert inner(*arguments.split()) == changes


def test_names_and_their_short_forms():
    names = option_names(Options)
    assert "--inner.num-cells" in names and "--inner.no-loud" in names and "--from" in names
    assert not any("place" in name for name in names)
    given = ["here", "--num-cells=3", "--rule", "b", "--from", "x", "--unknown"]
    assert in_full(given, names) == ["here", "--inner.num-cells=3", "--inner.rule", "b", "--from", "x", "--unknown"]
    assert in_full(["--rate"], ["--a.rate", "--b.rate"]) == ["--rate"], "of two that fit none is meant"


def test_refusals():
    refuse_unknown(["here", "--inner.num_cells=3", "--help"], option_names(Options))
    with pytest.raises(ConfigError, match=r"--inner.num-cell is not an option. Did you mean '--inner.num-cells'"):
        refuse_unknown(["--inner.num-cell", "3"], option_names(Options))


def test_a_file_of_rows_that_is_not_there():
    with pytest.raises(ConfigError) as error:
        inner("--inner.rows", "@nowhere")
    assert "'@nowhere' cannot be read" in str(error.value) and "helptext" not in str(error.value)


def test_numbers():
    assert read_integer("2e6") == 2_000_000 and read_integer("7") == 7
    assert read_integer("2.5") == 2.5 and read_integer("many") == "many"
    assert read_float("1e-3") == 0.001 and read_float("high") == "high"


@dataclasses.dataclass(frozen=True)
class Counted:
    """Options of a test."""

    place: tyro.conf.Positional[str]
    turns: Annotated[int, *whole(1, 5, "Turns.")] = 2
    update: Annotated[int | None, *whole(0, 9, "Update.", optional=True)] = None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("here --turns 0", "turns is 0; allowed: whole numbers from 1 to 5."),
        ("here --turns 1e1", "turns is 10; allowed: whole numbers from 1 to 5."),
        ("here --turns 2.5", "turns is 2.5; allowed: whole numbers from 1 to 5."),
        ("here --update x", "update is 'x'; allowed: whole numbers from 0 to 9."),
        ("here --turns 1 --turns=2", "--turns is given 2 times; allowed: once."),
        ("", "Missing from test: STR place (required); test --help"),
        ("here there", "Unrecognized options: there; test --help lists what is allowed."),
        ("here --turns", "Missing value for argument '--turns'"),
    ],
)
def test_one_sentence_for_what_is_wrong(arguments, words):
    with pytest.raises(ConfigError) as error:
        check(parse(Counted, arguments.split(), "test"))
    assert words in str(error.value) and "\n" not in str(error.value)


@dataclasses.dataclass(frozen=True)
class Places:
    """Options of a test."""

    many: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    out: pathlib.Path | None = None


def test_rows_may_be_in_a_file(tmp_path):
    """A text that begins with @ may be a file, although @ is also a wall at the start of a row."""
    (tmp_path / "map.txt").write_text("@P\nP@\n")
    rows = inner("--inner.rows", f"@{tmp_path}/map.txt")["rows"]
    assert Texts().accept(rows) == ("@P", "P@")
    assert inner("--inner.rows", "@P\nP@")["rows"] == ("@P\nP@",)


def test_paths_are_of_this_machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    given = parse(Places, ["~/a", "b", "--out=~/video.gif"], "test")
    assert given == Places((pathlib.Path("/home/me/a"), pathlib.Path("b")), pathlib.Path("/home/me/video.gif"))
    with pytest.raises(ConfigError, match="out is 's3:/bucket/x', a URL; allowed: a path on this machine"):
        parse(Places, ["b", "--out", "s3://bucket/x"], "test")


def test_whole_numbers_that_are_allowed():
    given = parse(Counted, ["here", "--turns", "3e0"], "test")
    check(given)
    assert (given.turns, given.update) == (3, None)
