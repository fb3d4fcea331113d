"""Cleanup: a public goods game. Apples grow only while somebody cleans the river."""

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

WASTE_RULES = ("lottery", "bernoulli")


@struct.dataclass
class CleanupParams:
    """The environment parameters, f32[] each."""

    apple_rate: jax.Array = value(0, 1, "Probability per apple site and step while the river is clean.")
    waste_rate: jax.Array = value(
        0, 1, 'Probability of new waste, per clean river cell ("lottery") or per step ("bernoulli").'
    )
    depletion_threshold: jax.Array = value(0, 1, "Share of waste from which on nothing grows.")
    fire_cost: jax.Array = value(-math.inf, math.inf, "Reward lost by firing.")
    hit_penalty: jax.Array = value(-math.inf, math.inf, "Reward lost per beam that hits.")


@struct.dataclass
class CleanupState:
    """State of Cleanup. Cells are (row, column)."""

    __repr__ = arrays_repr

    position: jax.Array  # i32[N,2], distinct
    heading: jax.Array  # i32[N], clockwise quarter turns from up
    apples: jax.Array  # bool[H,W]
    waste: jax.Array  # bool[H,W], polluted river cells
    beams: jax.Array  # u8[H,W], beams of the last step: 0 none, 1 fire, 2 cleaning
    time: jax.Array  # i32[], steps taken in this episode


@struct.dataclass
class StepNoise:
    """All random numbers of one step of Cleanup. The same noise with another action gives the counterfactual."""

    move_rank: jax.Array  # i32[N], a permutation; the lowest rank wins a contested cell
    beam_rank: jax.Array  # i32[N], a permutation; lowest acts first
    # f32[NA] in [0,1), by apple site in row-major order; an apple grows if it is below the growth probability
    apple: jax.Array
    waste_coin: jax.Array  # f32[] in [0,1), waste appears if it is below the probability
    # f32[] in [0,1), waste appears in the floor(waste_pick * k)-th of the k clean river cells, row-major
    waste_pick: jax.Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cleanup(GridWorld):
    """Cleanup of Hughes et al. (2018), https://arxiv.org/abs/1803.08884.

    The rules are those of the public NumPy code unless an option says otherwise.

    Observation: u8[N,V,V,3], see `GridWorld`. Actions: i32[N] in 0..8, see ``spec.action_names``. Reward: +1 for an
    apple, -1 for firing, -50 for each fire beam that hits the agent. An episode is truncated at the horizon and never
    terminates. Metrics of a step, f32[N]: ``apples`` eaten, ``fires`` (1 if the agent fired), ``hits`` (beams that hit
    it), ``cleans`` (waste cells it removed). ``visible``: the other agent is inside the window.

    A step has four phases: agents turn and move simultaneously; they eat; they fire or clean, one after another; apples and
    waste grow.

    Attributes:
        waste_rule: ``"lottery"``: for each clean river cell, in random order, a coin is flipped until one of the cells
            becomes waste, so with k clean cells there is no new waste with probability (1 - waste_rate)^k.
            ``"bernoulli"``: waste appears in a random clean cell with probability waste_rate, the rule of Melting Pot
            (registered as ``"cleanup-mp"``).
    """

    layout: Sequence[str] | str = texts(maps.CLEANUP, "A map of your own, one text per row.")
    waste_rule: str = choice(
        "lottery",
        WASTE_RULES,
        'How waste appears: nearly every step ("lottery", the public code) or with one probability a step ("bernoulli").',
    )

    letters: ClassVar[str] = "@P BHRS"
    action_names: ClassVar[tuple[str, ...]] = ACTION_NAMES

    __repr__ = Environment.__repr__  # a dataclass would show the whole map

    @functools.cached_property
    def apple_sites(self) -> np.ndarray:
        """bool[H,W]: cells where apples grow."""
        return maps.mask(self.drawing, "B")

    @functools.cached_property
    def river(self) -> np.ndarray:
        """bool[H,W]: cells that are waste or can become waste."""
        return maps.mask(self.drawing, "HR")

    @functools.cached_property
    def background(self) -> np.ndarray:
        """See `GridWorld.background`."""
        codes = super().background.copy()
        codes[self.river] = vision.RIVER
        codes[maps.mask(self.drawing, "S")] = vision.STREAM
        return codes

    @property
    def default_params(self) -> CleanupParams:
        """The parameters of the original game."""
        return CleanupParams(
            apple_rate=jnp.float32(0.05),
            waste_rate=jnp.float32(0.5),
            depletion_threshold=jnp.float32(0.4),
            fire_cost=jnp.float32(1),
            hit_penalty=jnp.float32(50),
        )

    def initial_state(self, key: jax.Array, params: CleanupParams) -> CleanupState:
        """Sample the state at the start of an episode: the map as drawn, agents placed, then one phase of growth."""
        position, heading = self.place_agents(key)
        apples, waste = self.grow(
            jnp.zeros(self.walls.shape, bool),
            jnp.asarray(maps.mask(self.drawing, "H")),
            position,
            self.sample_noise(key, params),
            params,
        )
        return CleanupState(
            position=position,
            heading=heading,
            apples=apples,
            waste=waste,
            beams=jnp.zeros(self.walls.shape, jnp.uint8),
            time=jnp.zeros((), jnp.int32),
        )

    def sample_noise(self, key: jax.Array, params: CleanupParams) -> StepNoise:
        """Sample all random numbers of one step."""
        del params
        n, sites = self.num_agents, int(self.apple_sites.sum())
        words = primitives.words(key, count=2 * n + sites + 2)
        move, beam, apple, coin, pick = jnp.split(words, (n, 2 * n, 2 * n + sites, 2 * n + sites + 1))
        return StepNoise(
            move_rank=primitives.ranks(move),
            beam_rank=primitives.ranks(beam),
            apple=random_bits.uniform(apple),
            waste_coin=random_bits.uniform(coin[0]),
            waste_pick=random_bits.uniform(pick[0]),
        )

    def dynamics(
        self, state: CleanupState, actions: jax.Array, noise: StepNoise, params: CleanupParams
    ) -> tuple[CleanupState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[N], discount f32[], metrics)`` after ``actions i32[N]``."""
        position, heading = self.move(state.position, state.heading, actions, noise.move_rank)
        apples, eaten = self.eat(state.apples, position)
        waste, beam_map, fires, hits, cleans = self.beam(position, heading, actions, noise.beam_rank, state.waste)
        apples, waste = self.grow(apples, waste, position, noise, params)
        metrics = {
            "apples": eaten.astype(jnp.float32),
            "fires": fires.astype(jnp.float32),
            "hits": hits.astype(jnp.float32),
            "cleans": cleans.astype(jnp.float32),
        }
        reward = metrics["apples"] - params.fire_cost * metrics["fires"] - params.hit_penalty * metrics["hits"]
        state = CleanupState(
            position=position, heading=heading, apples=apples, waste=waste, beams=beam_map, time=state.time + 1
        )
        return state, reward, jnp.ones((), jnp.float32), metrics

    def beam(
        self, position: jax.Array, heading: jax.Array, actions: jax.Array, rank: jax.Array, waste: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
        """Let the agents fire and clean, in ascending order of ``rank i32[N]``.

        Returns:
            The remaining ``waste bool[H,W]``, the map of beams u8[H,W], and for each agent whether it fired bool[N], how many
            fire beams hit it i32[N] and how many waste cells it removed i32[N].
        """
        fires, cleans = actions == FIRE, actions == CLEAN
        waste, beam_map, hits, removed = self.fire_and_clean(position, heading, fires, cleans, rank, waste)
        return waste, beam_map, fires, hits, removed

    def grow(
        self, apples: jax.Array, waste: jax.Array, position: jax.Array, noise: StepNoise, params: CleanupParams
    ) -> tuple[jax.Array, jax.Array]:
        """Return ``(apples bool[H,W], waste bool[H,W])`` after one phase of growth.

        Both depend on the map before the growth. Apples do not grow under agents; waste does.
        """
        clean = primitives.count_free(waste, sites=self.river)
        apple_rate, waste_rate = growth_rates(self.river.sum() - clean, self.river.sum(), params)
        grown = primitives.bernoulli(noise.apple, apple_rate, sites=self.apple_sites)

        flips = clean if self.waste_rule == "lottery" else (clean > 0).astype(jnp.int32)
        appears = noise.waste_coin < 1 - power(1 - waste_rate, flips, self.walls.size)
        pick = jnp.minimum((noise.waste_pick * clean).astype(jnp.int32), clean - 1)  # the product may round up to clean
        cell = primitives.nth_free(waste, jnp.where(appears, pick, -1), sites=self.river)
        return (
            primitives.union(apples, self.unoccupied(grown, position)),
            primitives.put(waste, cell[None], value=True),
        )

    def layers(self, state: CleanupState) -> dict[int, jax.Array]:
        """See `GridWorld.layers`."""
        return {vision.WASTE: state.waste, vision.APPLE: state.apples}


def growth_rates(amount: jax.Array, capacity: jax.Array | int, params: CleanupParams) -> tuple[jax.Array, jax.Array]:
    """Return the current rates of apples and of waste, f32, with ``amount i32`` of ``capacity i32`` river cells polluted."""
    limit = params.depletion_threshold * jnp.float32(capacity)
    # A share equal to the threshold is too dirty. For thresholds of up to three digits, float32 rounding is far smaller than
    # the margin, and amounts below the limit are further from it than the margin.
    too_dirty = amount >= limit - 1e-4
    apple_rate = params.apple_rate * (1 - amount / jnp.maximum(limit, 1e-4))
    return jnp.where(too_dirty, 0.0, apple_rate), jnp.where(too_dirty, 0.0, params.waste_rate)


def power(base: jax.Array, exponent: jax.Array, limit: int) -> jax.Array:
    """Return ``base ** exponent`` for ``exponent i32[]`` in 0..limit, by repeated squaring; exact for powers of two."""
    result = jnp.ones_like(base)
    for bit in range(limit.bit_length()):
        result = jnp.where(exponent >> bit & 1, result * base, result)
        base = base * base
    return result
