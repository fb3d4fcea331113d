"""Coins: every coin pays whoever takes it, and a coin of the other's colour costs the other more."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import primitives, random_bits, vision
from influence_jax.envs.grid.field import OpenField
from influence_jax.settings import integer, value
from influence_jax.types import arrays_repr


@struct.dataclass
class CoinsParams:
    """The environment parameters, f32[] each."""

    coin_reward: jax.Array = value(-math.inf, math.inf, "For taking a coin of any colour.")
    theft_penalty: jax.Array = value(
        -math.inf, math.inf, "Reward lost when the other agent takes a coin of one's own colour."
    )


@struct.dataclass
class CoinsState:
    """One game of Coins."""

    __repr__ = arrays_repr

    position: jax.Array  # i32[2,2], (row, column)
    heading: jax.Array  # i32[2], 0
    coin: jax.Array  # i32[], the number of its cell, row * W + column
    owner: jax.Array  # i32[], the agent whose colour it has
    time: jax.Array  # i32[], steps taken in this episode


@struct.dataclass
class StepNoise:
    """All the chance in one step of Coins: the next coin, if this one is taken."""

    place: jax.Array  # f32[] in [0,1), among the free cells in row-major order
    owner: jax.Array  # i32[], 0 or 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coins(OpenField):
    """The game of Lerer and Peysakhovich (2017), https://arxiv.org/abs/1707.01068, one coin at a time.

    The field wraps around. It has 5 x 5 cells; for 3 x 3 give ``layout=("PPP",) * 3``. As in Foerster et al. (2018), agents may
    share a cell, and both take the coin if they reach it together. The next coin lies on a cell without agents; its cell and
    its colour are uniform.

    Observation: u8[2,V,V,3], see `OpenField`. Actions: i32[2] in 0..4, see ``spec.action_names``. Reward: `coin_reward` (1) for
    a coin, less `theft_penalty` (2) when the other takes a coin of the agent's own colour. An episode is truncated at the
    horizon and never terminates. Metrics of a step, f32[2]: ``coins`` taken, ``own_coins`` (those of one's own colour).
    """

    view_radius: int = integer(2, 0, "Cells seen in each direction; 2 shows each of 5 x 5 cells once.", high=10_000)

    wraps: ClassVar[bool] = True
    things: ClassVar[int] = 1
    colours: ClassVar[tuple[tuple[int, int, int], ...]] = ((128, 185, 217), (243, 207, 128))  # coins, by owner
    metric_names: ClassVar[tuple[str, ...]] = ("coins", "own_coins")

    __repr__ = Environment.__repr__  # in the place of a dataclass's, which shows the whole map

    @property
    def default_params(self) -> CoinsParams:
        """The numbers of the original game."""
        return CoinsParams(coin_reward=jnp.float32(1), theft_penalty=jnp.float32(2))

    def initial_state(self, key: jax.Array, params: CoinsParams) -> CoinsState:
        """Draw distinct cells for the agents, and a coin."""
        position, heading = self.place_agents(key)
        noise = self.sample_noise(key, params)
        return CoinsState(
            position=position,
            heading=jnp.zeros_like(heading),
            coin=self.free_cell(self.marked(self.number(position)), noise.place),
            owner=noise.owner,
            time=jnp.zeros((), jnp.int32),
        )

    def sample_noise(self, key: jax.Array, params: CoinsParams) -> StepNoise:
        """Draw all the chance of one step."""
        del params
        place, owner = primitives.words(key, count=2)
        return StepNoise(place=random_bits.uniform(place), owner=(owner >> 31).astype(jnp.int32))

    def dynamics(
        self, state: CoinsState, actions: jax.Array, noise: StepNoise, params: CoinsParams
    ) -> tuple[CoinsState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[2], discount f32[], metrics)`` after ``actions i32[2]``."""
        position = self.walk(state.position, actions)
        cell = self.number(position)
        takes, owns = cell == state.coin, np.arange(self.num_agents) == state.owner
        metrics = {"coins": takes.astype(jnp.float32), "own_coins": (takes & owns).astype(jnp.float32)}
        robbed = (owns & takes[::-1]).astype(jnp.float32)
        reward = params.coin_reward * metrics["coins"] - params.theft_penalty * robbed
        state = CoinsState(
            position=position,
            heading=state.heading,
            coin=jnp.where(takes.any(), self.free_cell(self.marked(cell), noise.place), state.coin),
            owner=jnp.where(takes.any(), noise.owner, state.owner),
            time=state.time + 1,
        )
        return state, reward, jnp.ones((), jnp.float32), metrics

    def layers(self, state: CoinsState) -> dict[int, jax.Array]:
        """See `GridWorld.layers`."""
        there = self.marked(state.coin[None])
        return {vision.OWN + agent: there & (state.owner == agent) for agent in range(self.num_agents)}
