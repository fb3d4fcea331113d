"""Declarations of settings: what each kind accepts, and how it refuses other values."""

import dataclasses
import math

import numpy as np
import pytest

from influence_jax.settings import (
    INT32_MAX,
    Choices,
    ConfigError,
    Integers,
    Numbers,
    Texts,
    check_fields,
    checked,
    flag,
    implementation,
    import_object,
    integer,
    nearest,
    number,
    texts,
    whole_number,
)

TABLE = {"sum": sum, "max": max}
PATH = "tests.test_settings:TABLE"


@pytest.mark.parametrize(
    ("allowed", "given", "accepted"),
    [
        (Integers(1, 3), 3, 3),
        (Integers(1), np.uint8(7), 7),
        (Integers(1), INT32_MAX, INT32_MAX),
        (Numbers(0, 1), 0, 0.0),
        (Numbers(0, 1), np.float32(0.5), 0.5),
        (Numbers(0, 1, length=2), [0, np.float64(1)], (0.0, 1.0)),
        (Choices(("a", "b")), "b", "b"),
        (Choices((True, False)), False, False),
        (Choices(("a",), group="my_lab"), "my_lab.things:mine", "my_lab.things:mine"),
        (Choices(("a",), others=("none",)), "none", "none"),
        (Choices("math:__doc__"), math.__doc__[0], math.__doc__[0]),
        (Texts(), "one\ntwo\n", ("one", "two")),
        (Texts(), ["one", "two"], ("one", "two")),
        (Texts(paths=True), ("my_lab.metrics:one",), ("my_lab.metrics:one",)),
    ],
)
def test_accepted(allowed, given, accepted):
    found = checked("x", given, allowed)
    assert found == accepted and type(found) is type(accepted)


@pytest.mark.parametrize(
    ("allowed", "given", "sentence"),
    [
        (Integers(1, 3), 4, "x is 4; allowed: whole numbers from 1 to 3."),
        (Integers(1, 3), True, "x is True; allowed: whole numbers from 1 to 3."),
        (Integers(2, 2), 1.0, "x is 1.0; allowed: 2."),
        (Numbers(0, 1), 1.5, "x is 1.5; allowed: numbers from 0 to 1."),
        (Numbers(0, 1), math.nan, "x is nan; allowed: numbers from 0 to 1."),
        (Numbers(0), math.inf, "x is inf; allowed: numbers from 0 up that fit float32."),
        (Numbers(), 1e39, "x is 1e+39; allowed: numbers that fit float32."),
        (Numbers(0, 1, length=2), [0.5], "x is [0.5]; allowed: 2 numbers from 0 to 1."),
        (Numbers(0, 1, length=2), "01", "x is '01'; allowed: 2 numbers from 0 to 1."),
        (Choices(("kl", "jsd")), "jds", "x is 'jds'; allowed: kl, jsd. Did you mean 'jsd'?"),
        (Choices(("kl", "jsd")), "a:b", "x is 'a:b'; allowed: kl, jsd."),
        (Choices((True, False)), 1, "x is 1; allowed: True, False."),
        (Choices(("kl",), group="my_lab"), "tv", "x is 'tv'; allowed: kl or 'package.module:name'."),
        (Texts(), ["one", 2], "x is ['one', 2]; allowed: strings."),
        (Texts(paths=True), ("one",), "x is ('one',); allowed: strings of the form 'package.module:name'."),
        (Integers(1, 3), None, "x is None; allowed: whole numbers from 1 to 3."),
    ],
)
def test_refused(allowed, given, sentence):
    with pytest.raises(ConfigError) as error:
        checked("x", given, allowed)
    assert str(error.value) == sentence


def test_nothing_is_accepted_where_a_default_comes_from_elsewhere():
    assert checked("x", None, Integers(1, 3, optional=True)) is None


def test_a_declared_class_is_checked_field_by_field():
    @dataclasses.dataclass(frozen=True)
    class Settings:
        count: int = integer(3, 1, "How many.", high=9)
        share: float = number(0.5, 0, math.inf, "How much.")
        loud: bool | None = flag(None, "How.")
        rows: tuple[str, ...] = texts((), "What.")
        other: object = "unchecked"

    settings = Settings(np.int64(4), 1, rows="a\nb")
    check_fields(settings)
    assert settings == Settings(4, 1.0, None, ("a", "b")) and type(settings.count) is int
    for wrong, words in ((Settings(count=10), "count is 10"), (Settings(share=-1), "share is -1")):
        with pytest.raises(ConfigError, match=words):
            check_fields(wrong)


def test_what_a_name_stands_for():
    assert implementation("fold", "sum", TABLE) is sum
    assert implementation("fold", "builtins:min", TABLE) is min
    assert implementation("fold", "math:pi", TABLE, float) is math.pi
    for name, sentence in (
        (
            "sun",
            "fold is 'sun'; allowed: sum, max or 'package.module:name' of a callable. Did you mean",
        ),
        ("math:pi", "fold is 'math:pi'; allowed: sum, max or"),
        ("no_such_module:x", "fold 'no_such_module:x' cannot be loaded"),
        ("math:no_such_name", "'math:no_such_name' cannot be loaded"),
    ):
        with pytest.raises(ConfigError) as error:
            implementation("fold", name, TABLE)
        assert sentence in str(error.value) and "\n" not in str(error.value)


def test_names_of_a_table_are_looked_up_when_they_are_asked_for():
    assert Choices(PATH, others=("none",)).names() == ["sum", "max", "none"]
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Choices("no_such_module:TABLE").names()
    assert import_object(PATH) == TABLE


def test_small_things():
    assert nearest("sun", ["sum", "max"]) == " Did you mean 'sum'?" and nearest("xyz", ["sum", "max"]) == ""
    assert whole_number(2e6) == 2_000_000 and type(whole_number(2e6)) is int
    assert whole_number(2.5) == 2.5 and whole_number(math.inf) == math.inf and whole_number("2e6") == "2e6"
