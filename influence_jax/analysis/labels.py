"""Settings as text labels that are all distinct."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SHORT = 7  # digits; a number that is exact with no more, as people type them, is not rounded
FEWEST_DIGITS, ALL_DIGITS = 4, 17  # 17 digits distinguish any two float64


def texts(values: Iterable[Any]) -> list[str]:
    """Return each value as text, with as many digits as it takes to tell the numbers apart.

    >>> texts([0.99, 0.9995, 0.99951])
    ['0.99', '0.9995', '0.99951']
    """
    values = list(values)
    different = len({_key(value) for value in values})
    for digits in range(FEWEST_DIGITS, ALL_DIGITS + 1):
        found = [_text(value, digits) for value in values]
        if len(set(found)) == different:
            return found
    return [repr(value) for value in values]


def labels(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return distinct labels for several settings of the same names, such as ``learning_rate 0.001, envy 5``.

    Settings that are equal are numbered from the second on.
    """
    names = list(settings[0]) if settings else []
    columns = [texts(each[name] for each in settings) for name in names]
    parts = zip(*columns, strict=True) if names else [()] * len(settings)
    return distinct([", ".join(f"{name} {text}" for name, text in zip(names, values, strict=True)) for values in parts])


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number appended to repetitions: ``a``, ``a (2)``."""
    found: list[str] = []
    for name in names:
        fresh, number = name, 1
        while fresh in found or (number > 1 and fresh in names):
            number += 1
            fresh = f"{name} ({number})"
        found.append(fresh)
    return found


def _text(value: Any, digits: int) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(_text(x, digits) for x in value)})"
    if not isinstance(value, float):
        return str(value)
    exact = f"{value:.{SHORT}g}"
    return exact if float(exact) == value else f"{value:.{digits}g}"


def _key(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_key, value))
    return value if value == value else "nan"
