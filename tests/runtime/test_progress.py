"""What a person sees during a run."""

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from influence_jax.learner.learner import make_learner
from influence_jax.runtime.progress import Progress, Terminal, duration
from influence_jax.runtime.run import LogPoint, train


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
    assert first == "2,000 of 6,000 steps, 50 steps/s, 1 min 20 s left, return - -20, influence 0.02"
    assert last == "6,000 of 6,000 steps, 50 steps/s, 0 s left, return 1 -20, influence 0.02"


def test_influence_is_that_of_the_members_that_go_on():
    text, half = io.StringIO(), point(30, [1, 2])
    half.metrics["influence"][0] = np.nan
    with Progress(Console(file=text, width=200)) as progress:
        progress(half)
    assert text.getvalue().endswith("return 1 2, influence 0.03\n")


def test_bar_on_a_terminal():
    text = io.StringIO()
    with Progress(Console(file=text, width=200, force_terminal=True)) as progress:
        progress(point(10, [np.nan, -20]))
    assert "2,000 of 6,000 steps" in text.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_it_tells_what_is_compiled_and_how_long_it_will_be(terminal, tiny):
    text = io.StringIO()
    learner = make_learner(dataclasses.replace(tiny, total_steps=1201))  # log points are 120 steps apart
    with Progress(Console(file=text, width=200, force_terminal=terminal)) as progress:
        progress.begin(learner, learner.config.seeds)
    told = "compiling harvest-moa, 2 members of 1,320 steps (total_steps 1,201, rounded up to whole log intervals)"
    assert told in text.getvalue()


def test_a_run_tells_it_before_its_first_log_point(tiny):
    said = []

    class Callback:
        def begin(self, learner, members):
            said.append(learner.config)

        def __call__(self, point):
            said.append(point.update)

    run = train(tiny, total_steps=240, callback=Callback())
    assert said == [run.config, 10, 20]


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
