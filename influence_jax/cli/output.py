"""Files that commands write: new ones, of a kind that is known."""

import pathlib
from typing import Any

from influence_jax.settings import ConfigError

FIGURES = (".png", ".svg", ".pdf")


def check_out(out: pathlib.Path, suffixes: tuple[str, ...]) -> None:
    """Make sure, before anything is computed, that a new file can be written, and make its directory.

    Raises:
        ConfigError: it has another suffix, exists, or cannot be written.
    """
    if out.suffix not in suffixes:
        raise ConfigError(f"out is {str(out)!r}; allowed: files that end in {' or '.join(suffixes)}.")
    if out.exists():
        raise ConfigError(f"out is {str(out)!r}, which exists; allowed: a new file.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(out, error) from error


def save(what: Any, out: pathlib.Path) -> None:
    """Write a video, an image, a page or a figure.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        (what.savefig if hasattr(what, "savefig") else what.save)(out)
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: pathlib.Path, error: Exception) -> ConfigError:
    return ConfigError(f"out is {str(out)!r}, which cannot be written: {error}; allowed: files.")
