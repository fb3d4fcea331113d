"""One episode in full, and its strongest moments of influence, each beside the world in which it did not happen."""

import dataclasses
import functools
import operator
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import render
from influence_jax.envs.grid.render import Video
from influence_jax.envs.grid.world import GridWorld
from influence_jax.evaluation.intervention import CounterfactualPolicies, counterfactual_policies, real_influence
from influence_jax.evaluation.moment import Moment
from influence_jax.evaluation.policy import AgentState
from influence_jax.evaluation.programs import compiled
from influence_jax.influence.measures import label
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import Member, RolloutState
from influence_jax.settings import ConfigError, Integers, Numbers, checked, said
from influence_jax.types import TimeStep

LONGEST_SIDE = 720  # pixels of a frame's map
APART = 5  # steps between two moments of the same pair
LEAST_SHARE = 0.05  # of the widest arrow, from which on there is one
LEAST_INFLUENCE = 0.01  # nats; what is weaker all over an episode gets no wide arrows


@dataclasses.dataclass(frozen=True, eq=False)
class Trace:
    """One episode of ``T`` steps, on the host; from `Run.trace` or `influence_jax.play`.

    >>> trace = run.trace(member=0, seed=1)
    >>> trace.influence.max(), trace.video("episode.gif")
    """

    env: Environment
    states: Any = dataclasses.field(repr=False)  # leading T+1: before every step, and after the last
    observations: np.ndarray  # u8[T,N,V,V,3], what agents saw before they acted
    actions: np.ndarray  # i32[T,N]
    rewards: np.ndarray  # f32[T,N], of the step taken at t, the environment's
    log_policy: np.ndarray  # f32[T,N,A], nats; NaN for players that are no trained agents
    values: np.ndarray  # f32[T,N], in the unit of the losses; NaN likewise
    visible: np.ndarray  # bool[T,N,N], row sees column
    influence: np.ndarray  # f32[T,K,J], of what k did (or said) at t on j, in the unit of the measure; diagonal 0
    metrics: dict[str, np.ndarray]  # f32[T,N], the environment's of the step taken at t
    messages: np.ndarray | None = None  # i32[T,N], for agents that talk
    message_log_policy: np.ndarray | None = None  # f32[T,N,M]
    real_influence: np.ndarray | None = None  # f32[T,K,J], by intervention, where it was asked for; zero diagonal
    team: np.ndarray | None = None  # bool[N], the trained agents, if they are all of one kind
    _learner: Learner | None = dataclasses.field(default=None, repr=False)
    _member: Member | None = dataclasses.field(default=None, repr=False)
    _agent_states: AgentState | None = dataclasses.field(default=None, repr=False)  # leading T+1
    _timesteps: TimeStep | None = dataclasses.field(default=None, repr=False)  # leading T+1
    _noise: Any = dataclasses.field(default=None, repr=False)  # leading T
    _env_params: Any = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.actions)

    def __repr__(self) -> str:
        returns = ", ".join(f"{x:g}" for x in self.rewards.sum(axis=0))
        return f"Trace of {len(self)} steps, {self.actions.shape[1]} agents, returns {returns}"

    def world(self, time: int, actions: Sequence[int]) -> tuple[Any, TimeStep]:
        """Return the state and time step that follow on ``actions i32[N]`` at ``time``, by the same chance."""
        checked("time", time, Integers(0, len(self) - 1))
        num_agents = self.actions.shape[1]
        try:
            chosen = np.array([operator.index(action) for action in actions], np.int32)
        except (TypeError, OverflowError):
            chosen = np.zeros(0, np.int32)
        if len(chosen) != num_agents:
            raise ConfigError(
                f"actions is {said(actions)}; allowed are {num_agents} whole numbers, one for each agent."
            )
        state, noise = (jax.tree.map(lambda x: x[time], tree) for tree in (self.states, self._noise))
        return jax.device_get(_transition(self.env, state, jnp.asarray(chosen), noise, self._env_params))

    def frame(
        self, time: int, *, arrows: bool | float = True, views: Sequence[int] = (), scale: int | None = None,
        title: str = "",
    ) -> Image.Image:  # fmt: skip
        """Return an image of the state before the step ``time``, 0 to ``len(trace)``.

        Args:
            time: which state.
            arrows: whether the influence of what was done in the step that led here is drawn: at full width where it is the
                strongest of the episode, or this number; not at all below a twentieth of that.
            views: agents whose windows are outlined.
            scale: pixels per cell; by default so that the map's longer side has some 720.
            title: written before the step.
        """
        checked("time", time, Integers(0, len(self)))
        return Image.fromarray(next(self._frames([time], arrows, views, scale, title)))

    def video(
        self, path: str | pathlib.Path | None = None, *, fps: float = 10, start: int = 0, stop: int | None = None,
        arrows: bool | float = True, views: Sequence[int] = (), scale: int | None = None, title: str = "",
    ) -> Video:  # fmt: skip
        """Return the frames from ``start`` to before ``stop`` as a video, which a notebook plays, and write it to ``path``.

        >>> run.trace().video("episode.mp4", fps=15)  # or .gif; see `frame` for the other arguments
        """
        for name, place in (("start", start), ("stop", stop)):
            checked(name, place, Integers(-len(self) - 1, len(self) + 1, optional=name == "stop"))
        times = range(len(self) + 1)[start:stop]
        if not times:
            raise ConfigError(f"start is {start} with stop {stop}; allowed are parts of 0 to {len(self) + 1}.")
        video = Video(tuple(self._frames(times, arrows, views, scale, title)), fps)
        if path is not None:
            video.save(path)
        return video

    def table(self) -> Any:
        """Return a pandas data frame with one row for each step and agent; influence is summed over the others.

        >>> run.trace().table().groupby("agent").reward.sum()
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("table() needs the package pandas, which is not installed.") from error
        num_steps, num_agents = self.actions.shape
        step, agent = np.indices((num_steps, num_agents))
        taken = np.take_along_axis(self.log_policy, self.actions[..., None], axis=-1)[..., 0]
        probs = np.exp(self.log_policy)
        columns = {
            "step": step,
            "agent": agent,
            "action": np.array(self.env.spec.action_names)[self.actions],
            "reward": self.rewards,
            "value": self.values,
            "log_prob": taken,
            "entropy": -np.sum(np.where(probs > 0, probs * self.log_policy, 0.0), axis=-1),
            "influence": self.influence.sum(axis=2),
            "influence_received": self.influence.sum(axis=1),
        }
        if self.real_influence is not None:
            columns["real_influence"] = self.real_influence.sum(axis=2)
        if self.messages is not None:
            columns["message"] = self.messages
        if hasattr(self.states, "position"):
            columns |= {name: self.states.position[:-1, :, i] for i, name in enumerate(("row", "column"))}
        columns |= self.metrics
        return pandas.DataFrame({name: np.asarray(x).ravel() for name, x in columns.items()})

    def moments(self, count: int = 4) -> list[Moment]:
        """Return the strongest moments of influence, the strongest first, at least `APART` steps apart for each pair.

        Real influence counts where it was found out, and else that which the agents measured. There may be fewer than ``count``.

        >>> run.trace(member=3).moments(1)[0]  # an image in a notebook

        Raises:
            ConfigError: there is no influence, there are no trained agents, or agents of more than one kind.
        """
        checked("count", count, Integers(1))
        self._refuse_mixtures("moments")
        strength = self.influence if self.real_influence is None else self.real_influence
        strength = np.where(self.team[:, None] & self.team, strength, 0.0)
        found: list[tuple[int, int, int]] = []
        for place in np.argsort(-strength, axis=None, kind="stable"):
            time, k, j = (int(x) for x in np.unravel_index(place, strength.shape))
            if len(found) == count or strength[time, k, j] <= 0:
                break
            if all((k, j) != (a, b) or abs(time - other) >= APART for other, a, b in found):
                found.append((time, k, j))
        if not found:
            raise ConfigError(
                "this episode has no moment of influence: nobody measured any, or no two agents met; allowed are episodes with "
                "influence, such as that of another seed."
            )
        return [self._moment(*place) for place in found]

    def _moment(self, time: int, k: int, j: int) -> Moment:
        found = self._counterfactual_policies(time)
        weights, alternatives = (np.asarray(x) for x in (found.weights[k, 0], found.alternatives[k, :, j, 0]))
        symbols = self._choices[self.channel]
        answer = np.exp(alternatives[symbols[time, k]])
        changed = np.exp(weights) * np.abs(np.exp(alternatives) - answer).sum(axis=-1)
        other = int(np.argmax(changed))
        return Moment(
            trace=self,
            time=time,
            influencer=k,
            influencee=j,
            influence=float((self.influence if self.real_influence is None else self.real_influence)[time, k, j]),
            choice=int(symbols[time, k]),
            alternative=other,
            weights=np.exp(weights),
            answer=answer,
            other_answer=np.exp(alternatives[other]),
        )

    def _refuse_mixtures(self, what: str) -> None:
        if self._learner is None:
            raise ConfigError(
                f"{what} asks for trained agents of one kind; allowed are games with no others but scripted players."
            )

    def _rollout_states(self) -> RolloutState:
        """Return the whole episode as states of acting, leading T+1, each of one game."""
        one_game = functools.partial(jax.tree.map, lambda x: x[:, None])
        agent_states = self._agent_states
        return RolloutState(
            one_game(self.states),
            one_game(self._timesteps),
            agent_states.carry,
            agent_states.memory,
            agent_states.shaper_state,
        )

    @property
    def channel(self) -> str:
        """What agents influence one another by, "action" or "message"."""
        return self._learner.model.channel if self._learner else "action"

    @property
    def lag(self) -> int:
        """Steps until what an agent chose can change what the others do, 0 or 1."""
        return self._learner.model.lag if self._learner else 1

    @property
    def _choices(self) -> dict[str, np.ndarray]:
        """By head, i32[T,N], what everybody chose."""
        return {"action": self.actions} | ({} if self.messages is None else {"message": self.messages})

    def _counterfactual_policies(self, time: int) -> CounterfactualPolicies:
        now = jax.tree.map(lambda x: x[time], self._rollout_states())
        choices, noise = jax.tree.map(lambda x: jnp.asarray(x[time : time + 1]), (self._choices, self._noise))
        return counterfactual_policies(self._learner, self._member, now, choices, noise)

    @property
    def measure(self) -> str:
        """The measure of influence, with its unit where it has one; without trained agents of one kind ""."""
        return label(self._learner.model.measure) if self._learner and self._learner.model.measure else ""

    def _find_real_influence(self) -> np.ndarray:
        """Return f32[T,K,J]: the influence of every choice by intervention."""
        self._refuse_mixtures("real")
        model = self._learner.model
        if model.measure is None:
            raise ConfigError("real is True with influence.measure 'none'; allowed is any other measure.")
        if model.counterfactuals is not None and model.source == "policies":
            return self.influence  # nothing is modelled: what agents measured is real
        found = _real_influence(
            self._learner, self._member, self._rollout_states(), jax.tree.map(jnp.asarray, self._choices), self._noise
        )
        return np.where(self.team[:, None] & self.team, np.asarray(found), np.float32(0))

    def _frames(
        self, times: Sequence[int], arrows: bool | float, views: Sequence[int], scale: int | None, title: str
    ) -> Iterator[np.ndarray]:
        if not isinstance(self.env, GridWorld):
            raise ConfigError(f"{type(self.env).__name__} draws no images; allowed are games on a map.")
        scale = default_scale(self.env) if scale is None else checked("scale", scale, Integers(4, 256))
        if not isinstance(arrows, bool | np.bool_):
            checked("arrows", arrows, Numbers(0))
        if isinstance(views, str) or not isinstance(views, Sequence | np.ndarray):
            raise ConfigError(f"views is {said(views)}; allowed are numbers of agents.")
        for agent in views:
            checked("views", agent, Integers(0, self.actions.shape[1] - 1))
        if not isinstance(title, str):
            raise ConfigError(f"title is {said(title)}; allowed is a text.")
        chosen = jax.tree.map(lambda x: x[np.asarray(times)], self.states)
        totals = np.concatenate([np.zeros_like(self.rewards[:1]), self.rewards.cumsum(axis=0)])
        strength = self._arrows(arrows)
        for time, image in zip(times, self.env.video(chosen, scale), strict=True):
            position = self.states.position[time]
            if views:
                image = render.draw_views(image, position, self.env.view_radius, views, scale)
            image = render.draw_arrows(image, position, strength[time], scale)
            words = f"{title}, step {time}" if title else f"step {time}"
            yield render.with_header(image, words, totals[time].tolist())

    def _arrows(self, full: bool | float) -> np.ndarray:
        """Return f32[T+1,K,J]: by state, the width of arrows as a share of the widest, 0 for none."""
        strength = self.influence if self.real_influence is None else self.real_influence
        if full is True:
            full = max(float(strength.max()), LEAST_INFLUENCE)
        share = strength / full if full else np.zeros_like(strength)
        return np.pad(np.where(share < LEAST_SHARE, 0.0, share), ((1, 0), (0, 0), (0, 0)))


def default_scale(env: GridWorld) -> int:
    """Return how many pixels a cell has for the map to fill a slide's half."""
    return int(np.clip(LONGEST_SIDE // max(env.walls.shape), 8, 64))


@compiled()
def _transition(env, state, actions, noise, env_params):
    return env.transition(state, actions, noise, env_params)


@compiled()
def _real_influence(learner, member, states, choices, noise):
    def one_step(step):
        now, choices, noise, realised = step
        found = counterfactual_policies(learner, member, now, choices, noise)
        counted = now.timestep.visible & ~(now.timestep.last | found.over)[:, None, None]
        return real_influence(learner, found, realised, counted)[0]

    now = jax.tree.map(lambda x: x[:-1], states)
    choices, noise = jax.tree.map(lambda x: x[:, None], (choices, noise))
    realised = jnp.roll(choices["action"], -learner.model.lag, axis=0)  # after the last step nothing counts
    return jax.lax.map(one_step, (now, choices, noise, realised), batch_size=16)
