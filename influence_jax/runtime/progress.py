"""Progress of a run in the terminal."""

import contextlib
import time

import numpy as np
import rich.progress
from rich.console import Console

from influence_jax.analysis.members import name_of
from influence_jax.learner.learner import Learner
from influence_jax.runtime.loop import LogPoint
from influence_jax.settings import ConfigError, counted

LINE_EVERY = 10.0  # seconds between lines if there is no terminal
MANY = 8  # with more members, returns are summarised


class Terminal(Console):
    """A console that raises `BrokenPipeError`, as ``print`` does; rich would end the process."""

    def on_broken_pipe(self) -> None:
        """See `rich.console.Console`."""
        raise BrokenPipeError


class Progress:
    """A callback for `train` that shows a bar in a terminal, and otherwise prints a line from time to time.

    It also tells what is being compiled. Steps are those of all members, as the rate is. It may also be used as a context
    manager.

    Raises:
        ConfigError: ``console`` is not a rich console.

    Example:
        >>> progress = influence_jax.Progress()  # for influence_jax.train(config, callback=progress)
    """

    def __init__(self, console: Console | None = None):
        if not isinstance(console, Console | None):
            raise ConfigError(f"console is {console!r}; allowed: a rich.console.Console, or None.")
        self._console = console or Terminal()
        self._spoken = -np.inf
        self._returns: np.ndarray | None = None
        self._bar = None
        if self._console.is_terminal:
            self._bar = rich.progress.Progress(
                rich.progress.BarColumn(bar_width=20),
                rich.progress.TextColumn("{task.description}"),
                console=self._console,
            )
            self._task = self._bar.add_task("compiling", total=None)

    def __enter__(self) -> "Progress":
        """Show the bar."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exception) -> None:
        """Leave the last state of the bar on the screen."""
        if self._bar:
            self._bar.stop()

    def begin(self, learner: Learner, members: int) -> None:
        """Tell what is about to be compiled and trained, and how its length was rounded."""
        config = learner.config
        each = config.num_updates * config.steps_per_update
        text = f"compiling {name_of(learner)}, {counted(members, 'member')} of {each:,} steps"
        if each != config.total_steps:
            text += f" (total_steps {config.total_steps:,}, rounded up to whole log intervals)"
        if self._bar:
            self._bar.update(self._task, total=None, description=text)
        else:
            self._say(text)
        self._returns = None

    def __call__(self, point: LogPoint) -> None:
        """Show a log point."""
        now = time.perf_counter()
        returns = point.metrics["collective_return"]
        if self._returns is not None:
            returns = np.where(np.isfinite(returns), returns, self._returns)
        self._returns = returns
        text = _described(point, returns)
        if self._bar:
            self._bar.update(self._task, total=point.num_updates, completed=point.update, description=text)
        elif now - self._spoken >= LINE_EVERY or point.update == point.num_updates:
            self._say(text)
            self._spoken = now

    def _say(self, text: str) -> None:
        # If nobody reads the output any more, training continues; rich's own console would exit.
        with contextlib.suppress(OSError, SystemExit):
            self._console.print(text, highlight=False, soft_wrap=True)


def _described(point: LogPoint, returns: np.ndarray) -> str:
    done, total = (steps * len(returns) for steps in (point.env_steps, point.total_env_steps))
    influence = point.metrics["influence"]
    influence = np.mean(influence[np.isfinite(influence)]) if np.isfinite(influence).any() else np.nan
    members = " ".join("-" if np.isnan(x) else f"{x:.0f}" for x in returns)
    if len(returns) > MANY:
        known = returns[np.isfinite(returns)]
        members = f"{known.mean():.0f} ({known.min():.0f} to {known.max():.0f})" if known.size else "-"
        members += f" of {len(returns)} members"
    return (
        f"{done:,} of {total:,} steps, {point.steps_per_second:,.0f} steps/s, "
        f"{duration((total - done) / point.steps_per_second)} left, return {members}, influence {influence:.2g}"
    )


def duration(seconds: float) -> str:
    """Format seconds: 42 s, 3 min 5 s, 2 h 10 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
