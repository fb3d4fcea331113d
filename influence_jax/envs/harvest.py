"""Harvest: a common-pool resource. Apples regrow only near other apples, so a patch without apples stays empty."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import maps, primitives, random_bits, vision
from influence_jax.envs.grid.movement import ACTION_NAMES, CLEAN, FIRE
from influence_jax.envs.grid.world import GridWorld
from influence_jax.settings import choice, texts, value
from influence_jax.types import arrays_repr

NEIGHBOURHOODS = {"square": 2, "disc": 4}  # largest squared distance: 8 and 12 neighbours


@struct.dataclass
class HarvestParams:
    """The environment parameters, f32[] each except regrowth, f32[4]."""

    regrowth: jax.Array = value(
        0, 1, "Probability per step with 0, 1, 2, and 3 or more apples in the neighbourhood.", length=4
    )
    fire_cost: jax.Array = value(-math.inf, math.inf, "Reward lost by firing.")
    hit_penalty: jax.Array = value(-math.inf, math.inf, "Reward lost per beam that hits.")


@struct.dataclass
class HarvestState:
    """State of Harvest. Cells are (row, column)."""

    __repr__ = arrays_repr

    position: jax.Array  # i32[N,2], distinct
    heading: jax.Array  # i32[N], clockwise quarter turns from up
    apples: jax.Array  # bool[H,W]
    beams: jax.Array  # u8[H,W], beams of the last step: 0 none, 1 fire
    time: jax.Array  # i32[], steps taken in this episode


@struct.dataclass
class StepNoise:
    """All random numbers of one step of Harvest. The same noise with another action gives the counterfactual."""

    move_rank: jax.Array  # i32[N], a permutation; the lowest rank wins a contested cell
    # i32[N], a permutation; lowest acts first (without effect, since fire beams do not change the map)
    beam_rank: jax.Array
    # f32[NA] in [0,1), by apple site in row-major order; an apple grows if it is below the growth probability
    apple: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Harvest(GridWorld):
    """Harvest of Hughes et al. (2018), https://arxiv.org/abs/1803.08884.

    The rules are those of the public NumPy code unless an option says otherwise.

    Observation: u8[N,V,V,3], see `GridWorld`. Actions: i32[N] in 0..7, see ``spec.action_names``. Reward: +1 for an
    apple, -1 for firing, -50 for each fire beam that hits the agent. An episode is truncated at the horizon and never
    terminates. Metrics of a step, f32[N]: ``apples`` eaten, ``fires`` (1 if the agent fired), ``hits`` (beams that hit
    it), ``cleans`` (always 0). ``visible``: the other agent is inside the window.

    A step has four phases: agents turn and move simultaneously; they eat; they fire; apples regrow.

    Attributes:
        regrowth: the neighbourhood whose apples let a site regrow. ``"square"``: the 8 cells around it.
            ``"disc"``: the 12 cells at a distance of at most 2, the rule of Melting Pot (registered as
            ``"harvest-mp"``).
    """

    layout: Sequence[str] | str = texts(maps.HARVEST, "A map of your own, one text per row.")
    regrowth: str = choice(
        "square",
        tuple(NEIGHBOURHOODS),
        'The cells whose apples let a site grow back: the 8 around it ("square") or the 12 at a distance of at most 2 ("disc").',
    )

    letters: ClassVar[str] = "@P A"
    action_names: ClassVar[tuple[str, ...]] = ACTION_NAMES[:CLEAN]

    __repr__ = Environment.__repr__  # a dataclass would show the whole map

    @functools.cached_property
    def apple_sites(self) -> np.ndarray:
        """bool[H,W]: cells where apples grow."""
        return maps.mask(self.drawing, "A")

    @property
    def default_params(self) -> HarvestParams:
        """The parameters of the original game."""
        return HarvestParams(
            regrowth=jnp.array([0, 0.005, 0.02, 0.05], jnp.float32),
            fire_cost=jnp.float32(1),
            hit_penalty=jnp.float32(50),
        )

    def initial_state(self, key: jax.Array, params: HarvestParams) -> HarvestState:
        """Sample the state at the start of an episode, with an apple on every site."""
        del params
        position, heading = self.place_agents(key)
        return HarvestState(
            position=position,
            heading=heading,
            apples=jnp.asarray(self.apple_sites),
            beams=jnp.zeros(self.walls.shape, jnp.uint8),
            time=jnp.zeros((), jnp.int32),
        )

    def sample_noise(self, key: jax.Array, params: HarvestParams) -> StepNoise:
        """Sample all random numbers of one step."""
        del params
        n, sites = self.num_agents, int(self.apple_sites.sum())
        words = primitives.words(key, count=2 * n + sites)
        move, beam, apple = jnp.split(words, (n, 2 * n))
        return StepNoise(
            move_rank=primitives.ranks(move), beam_rank=primitives.ranks(beam), apple=random_bits.uniform(apple)
        )

    def dynamics(
        self, state: HarvestState, actions: jax.Array, noise: StepNoise, params: HarvestParams
    ) -> tuple[HarvestState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[N], discount f32[], metrics)`` after ``actions i32[N]``."""
        position, heading = self.move(state.position, state.heading, actions, noise.move_rank)
        apples, eaten = self.eat(state.apples, position)
        beam_map, fires, hits = self.beam(position, heading, actions, noise.beam_rank)
        apples = self.grow(apples, position, noise, params)
        metrics = {
            "apples": eaten.astype(jnp.float32),
            "fires": fires.astype(jnp.float32),
            "hits": hits.astype(jnp.float32),
            "cleans": jnp.zeros((self.num_agents,), jnp.float32),
        }
        reward = metrics["apples"] - params.fire_cost * metrics["fires"] - params.hit_penalty * metrics["hits"]
        state = HarvestState(position=position, heading=heading, apples=apples, beams=beam_map, time=state.time + 1)
        return state, reward, jnp.ones((), jnp.float32), metrics

    def beam(
        self, position: jax.Array, heading: jax.Array, actions: jax.Array, rank: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return the map of beams u8[H,W], whether each agent fired bool[N], and how many beams hit it i32[N]."""
        fires = actions == FIRE
        beam_map, hits = self.fire(position, heading, fires, rank)
        return beam_map, fires, hits

    def apple_neighbours(self, apples: jax.Array) -> jax.Array:
        """Return u8[H,W]: the number of apples in each cell's neighbourhood."""
        return primitives.count_neighbours(apples, squared_distance=NEIGHBOURHOODS[self.regrowth])

    def grow(self, apples: jax.Array, position: jax.Array, noise: StepNoise, params: HarvestParams) -> jax.Array:
        """Return ``apples bool[H,W]`` after one phase of growth, given the map before it. Nothing grows under agents."""
        count = self.apple_neighbours(apples)
        grown = primitives.bernoulli_by_count(noise.apple, params.regrowth, count, sites=self.apple_sites)
        return primitives.union(apples, self.unoccupied(grown, position))

    def layers(self, state: HarvestState) -> dict[int, jax.Array]:
        """See `GridWorld.layers`."""
        return {vision.APPLE: state.apples}
