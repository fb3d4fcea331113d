"""Matrix games, played again and again: Prisoner's Dilemma, Chicken, Stag Hunt, or any payoffs."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.envs.base import Environment
from influence_jax.settings import check_fields, choice, integer, value
from influence_jax.types import EnvSpec

PAYOFFS = {"prisoners_dilemma": (3, 0, 4, 1), "chicken": (3, 1, 4, 0), "stag_hunt": (4, 0, 3, 1)}

COOPERATE, DEFECT, NOTHING = 0, 1, 2
COLOURS = np.array([(0, 255, 0), (255, 0, 0), (0, 0, 0)], np.uint8)  # by what was done


@struct.dataclass
class MatrixParams:
    """The environment parameters."""

    payoffs: jax.Array = value(  # f32[4]
        -math.inf,
        math.inf,
        "Reward for cooperating with a cooperator and with a defector, and for defecting against a cooperator and a defector.",
        length=4,
    )


@struct.dataclass
class MatrixState:
    """A repeated matrix game."""

    last: jax.Array  # i32[2], what each agent did in the last step: COOPERATE, DEFECT or NOTHING
    time: jax.Array  # i32[], steps taken in this episode


@dataclasses.dataclass(frozen=True)
class MatrixGame(Environment):
    """A symmetric game of two agents and two actions, repeated until the horizon; payoffs of Leibo et al. (2017), Figure 1.

    Observation: u8[2,3,3,3], the first row shows what the agent itself did in the last step, the last row what the other did:
    green for cooperating, red for defecting, black at the start. Actions: i32[2], 0 ``cooperate`` and 1 ``defect``; after
    another integer neither agent is paid. Reward: `payoffs`. There is no chance. An episode is truncated at the horizon and
    never terminates. Metrics of a step, f32[2]: ``cooperations``. ``visible``: always.
    """

    game: str = choice(
        "prisoners_dilemma", tuple(PAYOFFS), "The game whose payoffs are the default of env.params.payoffs."
    )
    horizon: int = integer(100, 1, "Environment steps per episode.")

    __repr__ = Environment.__repr__

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def spec(self) -> EnvSpec:
        """The static facts of the game."""
        return EnvSpec(
            num_agents=2,
            num_actions=2,
            action_names=("cooperate", "defect"),
            observation_shape=(3, 3, 3),
            horizon=self.horizon,
            metric_names=("cooperations",),
        )

    @property
    def default_params(self) -> MatrixParams:
        """The payoffs of the named game."""
        return MatrixParams(payoffs=jnp.array(PAYOFFS[self.game], jnp.float32))

    def initial_state(self, key: jax.Array, params: MatrixParams) -> MatrixState:
        """Nothing was done yet."""
        del key, params
        return MatrixState(last=jnp.full(2, NOTHING, jnp.int32), time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key: jax.Array, params: MatrixParams) -> tuple[()]:
        """There is no chance."""
        del key, params
        return ()

    def dynamics(
        self, state: MatrixState, actions: jax.Array, noise: Any, params: MatrixParams
    ) -> tuple[MatrixState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[2], discount f32[], metrics)`` after ``actions i32[2]``."""
        del noise
        done = jnp.where((actions == COOPERATE) | (actions == DEFECT), actions, NOTHING).astype(jnp.int32)
        met = jnp.arange(4) == 2 * done[:, None] + done[::-1, None]  # bool[2,4]
        reward = jnp.where((done == NOTHING).any(), 0.0, jnp.where(met, params.payoffs, 0.0).sum(axis=1))
        metrics = {"cooperations": (done == COOPERATE).astype(jnp.float32)}
        return MatrixState(last=done, time=state.time + 1), reward, jnp.ones((), jnp.float32), metrics

    def observe(self, state: MatrixState) -> tuple[jax.Array, jax.Array]:
        """Return ``(observation u8[2,3,3,3], visible bool[2,2])``."""
        rows = jnp.stack([state.last, jnp.full(2, NOTHING), state.last[::-1]], axis=1)  # i32[2,3]
        image = jnp.broadcast_to(jnp.asarray(COLOURS)[rows][:, :, None], (2, 3, 3, 3))
        return image, ~jnp.eye(2, dtype=bool)
