"""Runs as one page: what was trained, how, on which machine, and what came of it."""

import base64
import html
import io
import json
import os
import pathlib
import shlex
import string
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from influence_jax.analysis.comparison import compare
from influence_jax.analysis.figures import plot_comparison, plot_learning_curves
from influence_jax.analysis.members import groups
from influence_jax.analysis.pages import Page
from influence_jax.settings import ConfigError, file_path, short_repr

TEMPLATE = pathlib.Path(__file__).with_suffix(".html")


def report(
    directories: str | os.PathLike | Sequence[str | os.PathLike], *, by: str | Sequence[str] | None = None
) -> Page:
    """Return a page on runs and sweeps: a table and curves with intervals, settings, machines, and how to run them again.

    Args:
        directories: of a run or a sweep, or of several; each trial of a sweep is a group.
        by: a setting or several; members with equal values form a group, see `influence_jax.compare`.

    Raises:
        ConfigError: there is nothing to report, or it cannot be read.

    Example:
        >>> influence_jax.report(["runs/a", "runs/b"]).save("report.html")
    """
    several = [directories] if isinstance(directories, str | os.PathLike) else directories
    if not isinstance(several, list | tuple):
        raise ConfigError(
            f"directories is {short_repr(directories)}; allowed: the directory of a run or a sweep, or several."
        )
    paths = [file_path("directories", directory) for directory in several]
    names = [str(path) for path in paths]
    comparison = compare(names, by=by)
    figures = [plot_learning_curves(names, by=by)]
    figures += [plot_comparison(comparison)] if len(groups(names, by)) > 1 else []
    parts = [f"<section>{comparison._repr_html_()}</section>"]
    parts += [f"<section>{_image(figure)}</section>" for figure in figures]
    parts += [_origin(path) for path in paths]
    title = html.escape(", ".join(names))
    page = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    return Page(page.substitute(title=title, body="\n".join(parts)))


def _image(figure: Figure) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="svg", metadata={"Date": None})
    return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(data.getvalue()).decode()}">'


def _origin(path: pathlib.Path) -> str:
    """Return what the directory of a run, or of a sweep's first program, says of settings, machine and command."""
    place = path / "programs" / "000" if (path / "sweep.json").exists() else path
    config = json.dumps(_read(place / "config.json"), indent=2)
    stages = _read(place / "run.json")
    commands = "\n".join(_command(*map(str, stage.pop("command"))) for stage in stages)
    last = stages[-1]
    rows = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in last.items())
    return (
        f"<section><h2>{html.escape(str(path))}</h2><pre>{html.escape(commands)}</pre>"
        f"<details><summary>machine and versions</summary><table>{''.join(rows)}</table></details>"
        f"<details><summary>all settings, which <code>influence-jax train --config FILE</code> reads</summary>"
        f"<pre>{html.escape(config)}</pre></details></section>"
    )


def _command(program: str, *arguments: str) -> str:
    """Return a command as one types it."""
    name = pathlib.Path(program).name
    return shlex.join([*([name] if name == "influence-jax" else ["python", program]), *arguments])


def _read(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}; allowed: what `train` writes.") from error
