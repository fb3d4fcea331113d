"""Micro-environments with known answers, for testing that a learner learns.

Each isolates one ability; a learner that fails on a probe has a bug that no amount of tuning will mend.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.envs.base import Environment
from influence_jax.types import EnvSpec

_VIEW = 3  # the smallest picture that the encoder takes


@struct.dataclass
class ProbeParams:
    """Traced numbers of a probe."""

    reward: float = 1.0  # for a right answer


@struct.dataclass
class ProbeState:
    """State of every probe."""

    cue: jax.Array  # i32[N], the answer that each agent should give
    time: jax.Array  # i32[], steps taken


@dataclasses.dataclass(frozen=True)
class Probe(Environment):
    """Each agent is shown a cue, white in one row of its picture, and is paid for giving it as its action."""

    num_agents: int = 2
    num_actions: int = 3
    horizon: int = 10

    def __post_init__(self):
        """Fix the static facts."""
        spec = EnvSpec(
            num_agents=self.num_agents,
            num_actions=self.num_actions,
            action_names=tuple(f"answer_{a}" for a in range(self.num_actions)),
            observation_shape=(_VIEW, _VIEW, 3),
            horizon=self.horizon,
            metric_names=("answers",),
        )
        object.__setattr__(self, "spec", spec)

    @property
    def default_params(self) -> ProbeParams:
        """One reward for a right answer."""
        return ProbeParams()

    def initial_state(self, key, params):
        """Draw the first cues."""
        return ProbeState(cue=self._cues(key), time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key, params):
        """Draw the next cues, ``i32[N]``."""
        return self._cues(key)

    def observe(self, state):
        """Show the cues; everybody sees everybody."""
        rows = jnp.arange(_VIEW)[:, None, None] == state.cue[:, None, None, None]
        picture = jnp.broadcast_to(rows, (self.num_agents, _VIEW, _VIEW, 3))
        return jnp.where(picture, 255, 0).astype(jnp.uint8), ~jnp.eye(self.num_agents, dtype=bool)

    def _cues(self, key):
        return jax.random.randint(key, (self.num_agents,), 0, min(self.num_actions, _VIEW))

    def _outcome(self, right, params):
        right = right.astype(jnp.float32)
        return right * params.reward, jnp.ones(()), {"answers": right}


class Cue(Probe):
    """Answer what you see now. Best return per agent: ``horizon``."""

    def dynamics(self, state, actions, noise, params):
        """Pay for the cue shown; show the next."""
        return ProbeState(cue=noise, time=state.time + 1), *self._outcome(actions == state.cue, params)


class Recall(Probe):
    """Answer what you saw in the first step, in every later one. Best return per agent: ``horizon``."""

    def dynamics(self, state, actions, noise, params):
        """Pay for the cue of this episode, which stays."""
        return state.replace(time=state.time + 1), *self._outcome(actions == state.cue, params)

    def observe(self, state):
        """Show the cues in the first step only."""
        picture, visible = super().observe(state)
        return jnp.where(state.time == 0, picture, 0), visible


class Stipend(Probe):
    """Every step pays, whatever is done. True value: ``1 / (1 - gamma)``, since a horizon is no end of the game."""

    def dynamics(self, state, actions, noise, params):
        """Pay."""
        return state.replace(time=state.time + 1), *self._outcome(jnp.ones_like(actions, bool), params)


class Severance(Probe):
    """Every step pays until the game ends at the horizon. True value: ``(1 - gamma^h) / (1 - gamma)`` with h steps to go."""

    def dynamics(self, state, actions, noise, params):
        """Pay, and end the game with the last step."""
        reward, _, metrics = self._outcome(jnp.ones_like(actions, bool), params)
        over = state.time + 1 >= self.horizon
        return state.replace(time=state.time + 1), reward, jnp.where(over, 0.0, 1.0), metrics

    def observe(self, state):
        """Show the time left, up to two steps."""
        left = jnp.full((self.num_agents,), self.horizon) - state.time
        return super().observe(state.replace(cue=left))
