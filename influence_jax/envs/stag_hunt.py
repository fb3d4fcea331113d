"""Stag Hunt: a stag feeds two agents that meet it together and mauls one that meets it alone; hares are safe."""

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
class StagHuntParams:
    """The environment parameters, f32[] each."""

    hare_reward: jax.Array = value(-math.inf, math.inf, "For catching a hare.")
    stag_reward: jax.Array = value(-math.inf, math.inf, "For each agent when both meet the stag.")
    maul_penalty: jax.Array = value(-math.inf, math.inf, "Reward lost by meeting the stag alone.")


@struct.dataclass
class StagHuntState:
    """One game of Stag Hunt."""

    __repr__ = arrays_repr

    position: jax.Array  # i32[2,2], (row, column)
    heading: jax.Array  # i32[2], 0
    prey: jax.Array  # i32[3], of the stag and two hares the number of their cells, row * W + column
    time: jax.Array  # i32[], steps taken in this episode


@struct.dataclass
class StepNoise:
    """All the chance in one step of Stag Hunt."""

    place: jax.Array  # f32[3] in [0,1), where prey that was met comes back, among the free cells in row-major order


@dataclasses.dataclass(frozen=True, kw_only=True)
class StagHunt(OpenField):
    """A stag hunt after Peysakhovich and Lerer (2018), https://arxiv.org/abs/1709.02865; the instance is ours.

    A step has four phases: agents walk; the stag takes a step towards the nearest agent (agent 0 of two as near; along the
    longer way, of two as long by rows); agents meet the stag or catch hares, which do not move, on their cells, both of them if
    they share the cell; what was met appears on a free cell, first the stag, then the hares.

    Observation: u8[2,V,V,3], see `OpenField`. Actions: i32[2] in 0..4, see ``spec.action_names``. Reward: `hare_reward` (1) for
    a hare, `stag_reward` (5) to each agent when both meet the stag, less `maul_penalty` (2) for meeting it alone. An episode is
    truncated at the horizon and never terminates. Metrics of a step, f32[2]: ``hares`` and ``stags`` caught, ``maulings``.
    """

    view_radius: int = integer(4, 0, "Cells seen in each direction; 4 always shows all of 5 x 5 cells.", high=10_000)

    wraps: ClassVar[bool] = False
    things: ClassVar[int] = 3
    colours: ClassVar[tuple[tuple[int, int, int], ...]] = ((160, 90, 44), (190, 190, 150))  # stag, hare
    metric_names: ClassVar[tuple[str, ...]] = ("hares", "stags", "maulings")

    __repr__ = Environment.__repr__  # in the place of a dataclass's, which shows the whole map

    @property
    def default_params(self) -> StagHuntParams:
        """A mauling undoes two hares; a stag is worth five to each."""
        return StagHuntParams(hare_reward=jnp.float32(1), stag_reward=jnp.float32(5), maul_penalty=jnp.float32(2))

    def initial_state(self, key: jax.Array, params: StagHuntParams) -> StagHuntState:
        """Draw distinct cells for the agents, the stag and the hares."""
        position, heading = self.place_agents(key)
        place = self.sample_noise(key, params).place
        prey = self.come_back(jnp.full(3, -1, jnp.int32), jnp.ones(3, bool), self.number(position), place)
        return StagHuntState(position, jnp.zeros_like(heading), prey, time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key: jax.Array, params: StagHuntParams) -> StepNoise:
        """Draw all the chance of one step."""
        del params
        return StepNoise(place=random_bits.uniform(primitives.words(key, count=self.things)))

    def dynamics(
        self, state: StagHuntState, actions: jax.Array, noise: StepNoise, params: StagHuntParams
    ) -> tuple[StagHuntState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[2], discount f32[], metrics)`` after ``actions i32[2]``."""
        position = self.walk(state.position, actions)
        prey, agents = self.chase(state.prey, position), self.number(position)
        meets = agents[:, None] == prey  # bool[2,3]
        meets_stag, together = meets[:, 0], meets[:, 0].all()
        metrics = {
            "hares": meets[:, 1:].sum(axis=1).astype(jnp.float32),
            "stags": (meets_stag & together).astype(jnp.float32),
            "maulings": (meets_stag & ~together).astype(jnp.float32),
        }
        reward = params.hare_reward * metrics["hares"] + params.stag_reward * metrics["stags"]
        prey = self.come_back(prey, meets.any(axis=0), agents, noise.place)
        state = StagHuntState(position, state.heading, prey, state.time + 1)
        return state, reward - params.maul_penalty * metrics["maulings"], jnp.ones((), jnp.float32), metrics

    def chase(self, prey: jax.Array, position: jax.Array) -> jax.Array:
        """Return ``prey i32[3]`` after the stag's step towards the nearest agent."""
        stag = jnp.stack(jnp.divmod(prey[0], self.walls.shape[1]))
        way = position - stag
        row, column = way[jnp.argmin(abs(way).sum(axis=1))]
        by_rows = abs(row) >= abs(column)
        stag += jnp.stack([jnp.where(by_rows, jnp.sign(row), 0), jnp.where(by_rows, 0, jnp.sign(column))])
        return jnp.concatenate([self.number(stag)[None], prey[1:]])

    def come_back(self, prey: jax.Array, met: jax.Array, agents: jax.Array, place: jax.Array) -> jax.Array:
        """Return ``prey i32[3]`` with those that were ``met bool[3]`` on free cells, one after another."""
        for number in range(self.things):
            free = self.free_cell(self.marked(jnp.concatenate([agents, prey])), place[number])
            prey = jnp.where(met & (np.arange(self.things) == number), free, prey)
        return prey

    def layers(self, state: StagHuntState) -> dict[int, jax.Array]:
        """See `GridWorld.layers`."""
        return {vision.OWN + 1: self.marked(state.prey[1:]), vision.OWN: self.marked(state.prey[:1])}
