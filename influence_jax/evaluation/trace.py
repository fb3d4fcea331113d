"""The full record of an episode; other modules turn it into counterfactuals, videos, pages and tables."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from influence_jax.analysis.pages import Page
from influence_jax.analysis.tables import pandas
from influence_jax.envs.base import Environment
from influence_jax.envs.grid.render import Video
from influence_jax.evaluation import images, replay
from influence_jax.evaluation.moment import Moment, strongest_moments
from influence_jax.evaluation.page import page
from influence_jax.evaluation.replay import Team
from influence_jax.evaluation.table import rows
from influence_jax.influence.measures import label
from influence_jax.settings import ConfigError, Integers, checked
from influence_jax.types import TimeStep


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """One episode of ``T`` steps, on the host; from `Run.trace` or `influence_jax.play`.

    >>> trace = run.trace(member=0, seed=1)
    >>> strongest, video = trace.influence.max(), trace.video("episode.gif")
    """

    env: Environment
    env_params: Any  # the parameters of the game
    states: Any  # leading T+1: before each step, and after the last
    timesteps: TimeStep  # leading T+1, of these states, with rewards and metrics of the step that led there
    noise: Any  # leading T, the random draws of each step
    actions: np.ndarray  # i32[T,N]
    log_policy: np.ndarray  # f32[T,N,A], nats; NaN for players that are not trained agents
    values: np.ndarray  # f32[T,N], in the unit of the losses; NaN for the same players
    influence: np.ndarray  # f32[T,K,J], of k's choice at t on j, in the measure's unit; diagonal 0
    messages: np.ndarray | None = None  # i32[T,N], for agents that talk
    message_log_policy: np.ndarray | None = None  # f32[T,N,M]
    real_influence: np.ndarray | None = None  # f32[T,K,J], by intervention, if requested; diagonal 0
    team: Team | None = None  # the trained agents, if they are all of one kind

    @property
    def observations(self) -> np.ndarray:
        """u8[T,N,V,V,3]: what agents saw before they acted."""
        return np.asarray(self.timesteps.observation[:-1])

    @property
    def visible(self) -> np.ndarray:
        """bool[T,N,N]: whether the row's agent sees the column's."""
        return np.asarray(self.timesteps.visible[:-1])

    @property
    def rewards(self) -> np.ndarray:
        """f32[T,N]: the environment's rewards for the step taken at t."""
        return np.asarray(self.timesteps.reward[1:])

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """f32[T,N] by name: the environment's metrics of the step taken at t."""
        return {name: np.asarray(values[1:]) for name, values in self.timesteps.metrics.items()}

    @property
    def choices(self) -> dict[str, np.ndarray]:
        """i32[T,N] by head: the actions, and the messages if agents talk."""
        return {"action": self.actions} | ({} if self.messages is None else {"message": self.messages})

    @property
    def known_influence(self) -> np.ndarray:
        """f32[T,K,J]: the real influence if it was requested, otherwise the influence that agents measured."""
        return self.influence if self.real_influence is None else self.real_influence

    @property
    def measure(self) -> str:
        """The measure of influence, with its unit if it has one; "" without trained agents of one kind."""
        measure = self.team.learner.model.measure if self.team else None
        return label(measure) if measure else ""

    def __len__(self) -> int:
        return len(self.actions)

    def __repr__(self) -> str:
        returns = ", ".join(f"{x:g}" for x in self.rewards.sum(axis=0))
        return f"Trace of {len(self)} steps of {type(self.env).__name__}, {self.actions.shape[1]} agents, returns {returns}"

    def world(self, time: int, actions: Sequence[int]) -> tuple[Any, TimeStep]:
        """Return the state and time step that ``actions i32[N]`` at ``time`` lead to, with the same random draws."""
        return replay.world(self, time, actions)

    def frame(
        self, time: int, *, arrows: bool | float = True, views: Sequence[int] = (), scale: int | None = None,
        title: str = "",
    ) -> Image.Image:  # fmt: skip
        """Return an image of the state before the step ``time``, 0 to ``len(trace)``.

        Args:
            time: which state.
            arrows: whether to draw the influence of the choices that led here. Arrows have full width at the strongest
                influence of the episode, or at this number, and are left out below a twentieth of it.
            views: agents whose windows are outlined.
            scale: pixels per cell; by default the map's longer side has about 720.
            title: written before the step.
        """
        checked("time", time, Integers(0, len(self)))
        return Image.fromarray(next(images.frames(self, [time], images.Look(arrows, views, scale, title))))

    def video(
        self, path: str | pathlib.Path | None = None, *, fps: float = 10, start: int = 0, stop: int | None = None,
        arrows: bool | float = True, views: Sequence[int] = (), scale: int | None = None, title: str = "",
    ) -> Video:  # fmt: skip
        """Return the frames from ``start`` up to but excluding ``stop`` as a video, and write it to ``path`` if given.

        >>> run.trace().video("episode.mp4", fps=15)  # or .gif; see `frame` for the other arguments
        """
        for name, place in (("start", start), ("stop", stop)):
            checked(name, place, Integers(-len(self) - 1, len(self) + 1, optional=name == "stop"))
        times = range(len(self) + 1)[start:stop]
        if not times:
            raise ConfigError(f"start is {start} with stop {stop}; allowed: parts of 0 to {len(self) + 1}.")
        video = Video(tuple(images.frames(self, times, images.Look(arrows, views, scale, title))), fps)
        if path is not None:
            video.save(path)
        return video

    def page(self, title: str = "") -> Page:
        """Return the episode as a page to step through: the map, influence, policies and how agents would have answered.

        A notebook shows it, and a browser opens what it saves. Games without a map have everything else. It takes as long as
        finding out real influence, since every step is tried again with every other choice of each agent.

        >>> run.trace(member=0, seed=1).page("agents of run a").save("replay.html")
        """
        return page(self, title)

    def table(self) -> Any:
        """Return a ``pandas.DataFrame`` with one row per step and agent; influence is summed over the others.

        An integer that is not an action of the game is called "none", and its log-probability is NaN.

        >>> run.trace().table().groupby("agent").reward.sum()

        Raises:
            ConfigError: pandas is not installed.
        """
        return pandas().DataFrame(rows(self))

    def moments(self, count: int = 4) -> list[Moment]:
        """Return the strongest moments of influence, strongest first, at least `APART` steps apart for each pair.

        They are ranked by real influence if it was requested, otherwise by the influence that the agents measured. There may
        be fewer than ``count``.

        >>> run.trace(member=3).moments(1)[0]  # an image in a notebook

        Raises:
            ConfigError: there is no influence, there are no trained agents, or agents of more than one kind.
        """
        return strongest_moments(self, count)
