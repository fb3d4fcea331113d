"""What a person sees during a run."""

import io

import numpy as np
import pytest
from rich.console import Console

from influence_jax.runtime.progress import Progress, Terminal, duration
from influence_jax.runtime.run import LogPoint


def point(update, returns):
    metrics = {"collective_return": np.float32(returns), "influence": np.float32([0.01, 0.03])}
    return LogPoint(update, 30, update * 100, 3000, 50.0, metrics)


def test_lines_where_there_is_no_terminal():
    text = io.StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        progress(point(10, [np.nan, -20]))
        progress(point(20, [1, np.nan]))  # too early for another line
        progress(point(30, [np.nan, np.nan]))
    first, last = text.getvalue().splitlines()
    assert first == "1,000 of 3,000 steps, 50 steps/s, 1 min 20 s left, return - -20, influence 0.02"
    assert last == "3,000 of 3,000 steps, 50 steps/s, 0 s left, return 1 -20, influence 0.02"


def test_bar_on_a_terminal():
    text = io.StringIO()
    with Progress(Console(file=text, width=200, force_terminal=True)) as progress:
        progress(point(10, [np.nan, -20]))
    assert "1,000 of 3,000 steps" in text.getvalue()


class Gone(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text):
        raise BrokenPipeError


class Ending(Console):
    """Rich's own console, which ends the process in that case."""

    def on_broken_pipe(self):
        raise SystemExit(1)


@pytest.mark.parametrize("kind", [Terminal, Ending])
def test_training_goes_on_when_nobody_reads_on(kind):
    Progress(kind(file=Gone(), width=200))(point(10, [1, 2]))
    with pytest.raises(BrokenPipeError if kind is Terminal else SystemExit):
        kind(file=Gone()).print("a table")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
