"""Replaying steps of an episode with the same noise: what would have followed other actions."""

import dataclasses
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.evaluation.intervention import CounterfactualPolicies, counterfactual_policies, real_influence
from influence_jax.evaluation.policy import AgentState
from influence_jax.evaluation.programs import compiled
from influence_jax.influence.model import InfluenceModel
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import Member
from influence_jax.settings import ConfigError, Integers, checked, short_repr
from influence_jax.types import TimeStep

if TYPE_CHECKING:
    from influence_jax.evaluation.trace import Trace


@dataclasses.dataclass(frozen=True, eq=False)
class Team:
    """The trained agents of an episode, all of one kind, and what is needed to let them act again."""

    learner: Learner
    member: Member = dataclasses.field(repr=False)
    seats: np.ndarray  # bool[N], where they sit
    agent_states: AgentState = dataclasses.field(repr=False)  # leading T+1: before each step, and after the last

    @property
    def pairs(self) -> np.ndarray:
        """bool[N,N]: whether both agents are in the team."""
        return self.seats[:, None] & self.seats


def team_of(trace: "Trace", what: str) -> Team:
    """Return the team of an episode; ``what`` names the caller's argument in errors.

    Raises:
        ConfigError: there is no team, because no agents are trained or they are of several kinds.
    """
    if trace.team is None:
        raise ConfigError(
            f"{what} asks for trained agents of one kind; allowed: games with no others but scripted players."
        )
    return trace.team


def world(trace: "Trace", time: int, actions: Sequence[int]) -> tuple[Any, TimeStep]:
    """See `Trace.world`."""
    checked("time", time, Integers(0, len(trace) - 1))
    num_agents = trace.actions.shape[1]
    try:
        chosen = np.array([operator.index(action) for action in actions], np.int32)
    except (TypeError, OverflowError):
        chosen = np.zeros(0, np.int32)
    if len(chosen) != num_agents:
        raise ConfigError(f"actions is {short_repr(actions)}; allowed: {num_agents} whole numbers, one for each agent.")
    state, noise = jax.tree.map(lambda x: x[time], (trace.states, trace.noise))
    return jax.device_get(_transition(trace.env, state, jnp.asarray(chosen), noise, trace.env_params))


def policies_after(trace: "Trace", time: int) -> CounterfactualPolicies:
    """Return all agents' policies after every choice that each agent of a team could have made at ``time``."""
    team = team_of(trace, "moments")
    before = jax.tree.map(lambda x: x[time], (team.agent_states, trace.states, trace.timesteps))
    choices, noise = jax.tree.map(lambda x: jnp.asarray(x[time : time + 1]), (trace.choices, trace.noise))
    return counterfactual_policies(team.learner, team.member, AgentState.in_game(*before), choices, noise)


@dataclasses.dataclass(frozen=True, eq=False)
class Tried:
    """The counterfactuals of every choice of every agent at each step of an episode."""

    answers: (
        np.ndarray
    )  # f32[T,K,C,J,A], j's action probabilities for each choice k might have made at t, when it takes effect
    counted: np.ndarray  # bool[T,K,J], both are in the team, k saw j, and j still acts when the choice takes effect
    real_influence: np.ndarray  # f32[T,K,J], 0 where not counted, and everywhere without a measure


def try_everything(trace: "Trace") -> Tried:
    """Repeat every step of a team's episode with every choice of each of its agents."""
    team = team_of(trace, "try_everything")
    before = jax.tree.map(lambda x: x[:-1], (team.agent_states, trace.states, trace.timesteps))
    found = _tried(team.learner, team.member, before, trace.choices, trace.noise)
    answers, counted, influence = (np.asarray(x) for x in found)
    return Tried(np.exp(answers), counted & team.pairs, np.where(team.pairs, influence, np.float32(0)))


def find_real_influence(trace: "Trace") -> np.ndarray:
    """Return f32[T,K,J]: the influence of every choice by intervention, 0 unless both agents are in the team.

    Raises:
        ConfigError: there is no team, or influence is not measured.
    """
    team = team_of(trace, "real")
    model = team.learner.model
    if model.measure is None:
        raise ConfigError("real is True with influence.measure 'none'; allowed: any other measure.")
    return trace.influence if measured_is_real(model) else try_everything(trace).real_influence


def measured_is_real(model: InfluenceModel) -> bool:
    """Whether influence is computed from real policies, of all agents, so that the measured influence is real."""
    return model.counterfactuals is not None and model.source == "policies" and model.intervene is None


@compiled()
def _transition(env, state, actions, noise, env_params):
    return env.transition(state, actions, noise, env_params)


@compiled()
def _tried(learner, member, before, choices, noise):
    def one_step(step):
        before, choices, noise, realised = step
        now = AgentState.in_game(*before)
        found = counterfactual_policies(learner, member, now, choices, noise)
        counted = found.counted(now.timestep)
        measured = learner.model.measure is not None
        influence = real_influence(learner, found, realised, counted) if measured else jnp.zeros(counted.shape)
        return found.alternatives[:, :, :, 0], counted[0], influence[0]

    choices, noise = jax.tree.map(lambda x: x[:, None], (choices, noise))
    realised = jnp.roll(choices["action"], -learner.model.lag, axis=0)  # the entries after the last step do not count
    return jax.lax.map(one_step, (before, choices, noise, realised), batch_size=16)
