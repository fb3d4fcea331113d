"""Small environments with known answers, for testing that a learner learns.

Each isolates one ability. A learner that fails on a probe has a bug that no amount of tuning will fix.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax.envs.base import Environment
from influence_jax.types import EnvSpec

_VIEW = 3  # the smallest image that the encoder takes
_CUES = 8  # of `Fines`
_SIDE = 15  # of its image, as in the games
_BLOCK = 3


@struct.dataclass
class ProbeParams:
    """Parameters of a probe."""

    reward: float = 1.0  # for a right answer


@struct.dataclass
class ProbeState:
    """State of all probes but `Fines`."""

    cue: jax.Array  # i32[N], the correct answer of each agent
    time: jax.Array  # i32[], steps taken


@dataclasses.dataclass(frozen=True)
class Probe(Environment):
    """Each agent sees a cue, a white row of its image, and is rewarded if its action matches the cue."""

    num_agents: int = 2
    num_actions: int = 3
    horizon: int = 10

    @property
    def spec(self):
        """The spec."""
        return EnvSpec(
            num_agents=self.num_agents,
            num_actions=self.num_actions,
            action_names=tuple(f"answer_{a}" for a in range(self.num_actions)),
            observation_shape=(_VIEW, _VIEW, 3),
            horizon=self.horizon,
            metric_names=("answers",),
        )

    @property
    def default_params(self) -> ProbeParams:
        """A reward of 1 for a correct answer."""
        return ProbeParams()

    def initial_state(self, key, params):
        """Sample the first cues."""
        return ProbeState(cue=self._cues(key), time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key, params):
        """Sample the next cues, ``i32[N]``."""
        return self._cues(key)

    def observe(self, state):
        """Show the cues; all agents see each other."""
        rows = jnp.arange(_VIEW)[:, None, None] == state.cue[:, None, None, None]
        image = jnp.broadcast_to(rows, (self.num_agents, _VIEW, _VIEW, 3))
        return jnp.where(image, 255, 0).astype(jnp.uint8), ~jnp.eye(self.num_agents, dtype=bool)

    def _cues(self, key):
        return jax.random.randint(key, (self.num_agents,), 0, min(self.num_actions, _VIEW))

    def _outcome(self, right, params):
        right = right.astype(jnp.float32)
        return right * params.reward, jnp.ones(()), {"answers": right}


class Cue(Probe):
    """Answer the cue that is shown. Best return per agent: ``horizon``."""

    def dynamics(self, state, actions, noise, params):
        """Reward answers to the cue that is shown, then show the next."""
        return ProbeState(cue=noise, time=state.time + 1), *self._outcome(actions == state.cue, params)


class Recall(Probe):
    """Answer in every later step the cue that was shown in the first one. Best return per agent: ``horizon``."""

    def dynamics(self, state, actions, noise, params):
        """Reward answers to the episode's cue."""
        return state.replace(time=state.time + 1), *self._outcome(actions == state.cue, params)

    def observe(self, state):
        """Show the cues in the first step only."""
        image, visible = super().observe(state)
        return jnp.where(state.time == 0, image, 0), visible


class Stipend(Probe):
    """Every step is rewarded, whatever agents do. True value: ``1 / (1 - gamma)``, since the horizon only truncates."""

    def dynamics(self, state, actions, noise, params):
        """Reward every agent."""
        return state.replace(time=state.time + 1), *self._outcome(jnp.ones_like(actions, bool), params)


class Severance(Probe):
    """Every step is rewarded until the game ends at the horizon. True value h steps before: ``(1 - gamma^h) / (1 - gamma)``."""

    def dynamics(self, state, actions, noise, params):
        """Reward every agent, and terminate with the last step."""
        reward, _, metrics = self._outcome(jnp.ones_like(actions, bool), params)
        over = state.time + 1 >= self.horizon
        return state.replace(time=state.time + 1), reward, jnp.where(over, 0.0, 1.0), metrics

    def observe(self, state):
        """Show the time left, up to two steps."""
        left = jnp.full((self.num_agents,), self.horizon) - state.time
        return super().observe(state.replace(cue=left))


@struct.dataclass
class FinesParams:
    """Parameters of `Fines`."""

    reward: float = 1.0  # for a right answer
    strike_cost: float = 1.0  # paid by the agent that strikes
    hit_penalty: float = 50.0  # paid by each agent that is hit
    hit_rate: float = 0.25  # probability that a strike hits any one other agent
    cue_rate: float = 0.2  # probability of a cue in a step
    query_rate: float = 0.2  # probability of a query in a step without a cue


@struct.dataclass
class FinesState:
    """State of `Fines`."""

    cue: jax.Array  # i32[N], the most recent cue
    shown: jax.Array  # bool[N], the cue is in the image
    asked: jax.Array  # bool[N], the query is in the image
    time: jax.Array  # i32[], steps taken


@dataclasses.dataclass(frozen=True)
class Fines(Environment):
    """Unlearn a costly act, then respond to what is shown, then remember it: what the games demand of a learner, in this order.

    A cue is one of eight white blocks around the centre of a black image; the matching action is rewarded in the same step. A
    query is a green block in the centre; the action that matches the last cue of the episode is rewarded. The ninth action, a
    strike, costs a little and hits each other agent with some probability at a high cost to that agent, like the beams of Cleanup
    and Harvest. Until agents unlearn it, fines are far larger than anything they can earn.

    A blind learner answers an eighth of the cues. The best learner answers every cue and every query after its first cue, and
    never strikes.
    """

    num_agents: int = 5
    horizon: int = 100

    @property
    def spec(self):
        """The spec."""
        return EnvSpec(
            num_agents=self.num_agents,
            num_actions=_CUES + 1,
            action_names=(*(f"answer_{a}" for a in range(_CUES)), "strike"),
            observation_shape=(_SIDE, _SIDE, 3),
            horizon=self.horizon,
            metric_names=("cues", "answers", "queries", "recalls", "strikes"),
        )

    @property
    def default_params(self) -> FinesParams:
        """Fines as large as those of the games."""
        return FinesParams()

    def initial_state(self, key, params):
        """Show a cue to some agents."""
        cue, shown, _, _ = self.sample_noise(key, params)
        return FinesState(
            cue=jnp.where(shown, cue, -1), shown=shown, asked=jnp.zeros_like(shown), time=jnp.zeros((), jnp.int32)
        )

    def sample_noise(self, key, params):
        """Sample ``(cue i32[N], shown bool[N], asked bool[N], hit bool[N,N])`` of the next step; rows hit columns."""
        cue_key, shown_key, asked_key, hit_key = jax.random.split(key, 4)
        agents = (self.num_agents,)
        shown = jax.random.bernoulli(shown_key, params.cue_rate, agents)
        asked = ~shown & jax.random.bernoulli(asked_key, params.query_rate, agents)
        hit = jax.random.bernoulli(hit_key, params.hit_rate, agents * 2) & ~jnp.eye(self.num_agents, dtype=bool)
        return jax.random.randint(cue_key, agents, 0, _CUES), shown, asked, hit

    def dynamics(self, state, actions, noise, params):
        """Reward answers and fine strikes, then show the next cues and queries."""
        cue, shown, asked, hit = noise
        strikes = actions == _CUES
        hits = (strikes[:, None] & hit).sum(axis=0, dtype=jnp.int32)
        right = (actions == state.cue) & (state.cue >= 0)  # a cue that has not been shown is -1
        events = {
            "cues": state.shown,
            "answers": state.shown & right,
            "queries": state.asked & (state.cue >= 0),
            "recalls": state.asked & right,
            "strikes": strikes,
        }
        metrics = {name: event.astype(jnp.float32) for name, event in events.items()}
        earned = params.reward * (metrics["answers"] + metrics["recalls"])
        reward = earned - params.strike_cost * metrics["strikes"] - params.hit_penalty * hits.astype(jnp.float32)
        after = FinesState(cue=jnp.where(shown, cue, state.cue), shown=shown, asked=asked, time=state.time + 1)
        return after, reward, jnp.ones(()), metrics

    def observe(self, state):
        """Draw the cue or the query; all agents see each other."""
        place = jnp.where(state.shown, state.cue + (state.cue >= 4), 4)  # of 3 x 3; 4 is the centre
        corner = jnp.stack([place // 3, place % 3], axis=-1) * (_SIDE // 3) + 1  # i32[N,2]
        cells = jnp.arange(_SIDE)
        inside = (cells >= corner[..., None]) & (cells < corner[..., None] + _BLOCK)  # bool[N,2,V]
        block = inside[:, 0, :, None] & inside[:, 1, None, :]  # bool[N,V,V]
        lit = jnp.stack([state.shown, state.shown | state.asked, state.shown], axis=-1)  # bool[N,3]
        image = jnp.where(block[..., None] & lit[:, None, None], 255, 0).astype(jnp.uint8)
        return image, ~jnp.eye(self.num_agents, dtype=bool)
