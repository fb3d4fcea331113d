"""Box Trapped: one agent may free another, at a small cost and for no reward of its own."""

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
from influence_jax.envs.grid import maps, movement, random_bits, vision
from influence_jax.envs.grid.world import GridWorld
from influence_jax.settings import ConfigError, flag, integer, texts, value
from influence_jax.types import arrays_repr

OPEN = 7
OPENER = 0


@struct.dataclass
class BoxTrappedParams:
    """The environment parameters."""

    apple_reward: jax.Array = value(-math.inf, math.inf, "For entering a cell of the orchard.")  # f32[]


@struct.dataclass
class BoxTrappedState:
    """State of Box Trapped. Cells are (row, column)."""

    __repr__ = arrays_repr

    position: jax.Array  # i32[2,2], distinct; the opener, then the trapped agent
    heading: jax.Array  # i32[2], clockwise quarter turns from up
    apples: jax.Array  # bool[H,W]
    opened: jax.Array  # bool[], the door is open; it stays open until the episode ends
    time: jax.Array  # i32[], steps taken in this episode


@struct.dataclass
class StepNoise:
    """All random numbers of one step of Box Trapped."""

    move_rank: jax.Array  # i32[2], a permutation; the lowest rank wins a contested cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class BoxTrapped(GridWorld):
    """Box Trapped, after the paper's supplement, section 10.3, which gives only the idea; this instance is ours.

    Agent 1 starts locked in a cell. Agent 0 starts outside, between two orchards that never run out, and may open the cell at any
    time and from anywhere. Opening costs it one step, for which the game never rewards it.

    Observation: u8[2,V,V,3], see `GridWorld`. Actions: i32[2] in 0..7, see ``spec.action_names``; ``open`` does nothing if
    the door is already open or the trapped agent chooses it. Reward: `apple_reward` (1) for entering a cell of an orchard whose
    apple has regrown, which takes one step once the cell is free. An episode is truncated at the horizon and never terminates.
    Metrics of a step, f32[2]: ``apples`` eaten, ``opens`` (1 for the opener in the step in which the door opens).

    A step has four phases: the door opens; agents turn and move simultaneously, so the trapped agent can leave in the same step;
    they eat; apples regrow.
    """

    layout: Sequence[str] | str = texts(maps.BOX_TRAPPED, "A map of your own, one text per row.")
    num_agents: int = integer(2, 2, "There are two.", high=2)
    horizon: int = integer(100, 1, "Environment steps per episode.")
    beams_visible: bool | None = flag(False, "There are no beams.")

    letters: ClassVar[str] = "@P ATD"
    action_names: ClassVar[tuple[str, ...]] = (*movement.ACTION_NAMES[:OPEN], "open")
    metric_names: ClassVar[tuple[str, ...]] = ("apples", "opens")

    __repr__ = Environment.__repr__  # a dataclass would show the whole map

    def __post_init__(self) -> None:
        super().__post_init__()
        cells = int(maps.mask(self.drawing, maps.TRAPPED).sum())
        if cells != 1:
            raise ConfigError(f"layout has {cells} cells 'T' for the trapped agent; exactly 1 is allowed.")

    @functools.cached_property
    def start_cells(self) -> np.ndarray:
        """i32[S,2]: cells where the opener may start, in row-major order, followed by the trapped agent's cell."""
        letters = (maps.START, maps.TRAPPED)
        return np.concatenate([np.argwhere(maps.mask(self.drawing, letter)) for letter in letters]).astype(np.int32)

    @functools.cached_property
    def apple_sites(self) -> np.ndarray:
        """bool[H,W]: cells where apples grow."""
        return maps.mask(self.drawing, "A")

    @functools.cached_property
    def doors(self) -> np.ndarray:
        """bool[H,W]: cells that nobody can enter while the door is closed."""
        return maps.mask(self.drawing, maps.DOOR)

    @property
    def default_params(self) -> BoxTrappedParams:
        """A reward of 1 for an apple."""
        return BoxTrappedParams(apple_reward=jnp.float32(1))

    def initial_state(self, key: jax.Array, params: BoxTrappedParams) -> BoxTrappedState:
        """Sample the opener's cell and both headings uniformly, with the door closed."""
        del params
        place, turns = jax.random.split(key)
        cell = jax.random.randint(place, (), 0, len(self.start_cells) - 1)
        return BoxTrappedState(
            position=jnp.asarray(self.start_cells)[jnp.stack([cell, len(self.start_cells) - 1])],
            heading=random_bits.quarters(jax.random.bits(turns, (self.num_agents,), jnp.uint32)),
            apples=jnp.asarray(self.apple_sites),
            opened=jnp.zeros((), bool),
            time=jnp.zeros((), jnp.int32),
        )

    def sample_noise(self, key: jax.Array, params: BoxTrappedParams) -> StepNoise:
        """Sample all random numbers of one step."""
        del params
        return StepNoise(move_rank=random_bits.ranks(jax.random.bits(key, (self.num_agents,), jnp.uint32)))

    def dynamics(
        self, state: BoxTrappedState, actions: jax.Array, noise: StepNoise, params: BoxTrappedParams
    ) -> tuple[BoxTrappedState, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[2], discount f32[], metrics)`` after ``actions i32[2]``."""
        opens = (actions == OPEN) & (np.arange(self.num_agents) == OPENER) & ~state.opened
        opened = state.opened | opens.any()
        position, heading = self.move(state.position, state.heading, actions, noise.move_rank, self.doors & ~opened)
        _, eaten = self.eat(state.apples, position)
        apples = self.unoccupied(self.apple_sites, position)
        metrics = {"apples": eaten.astype(jnp.float32), "opens": opens.astype(jnp.float32)}
        state = BoxTrappedState(position=position, heading=heading, apples=apples, opened=opened, time=state.time + 1)
        return state, params.apple_reward * metrics["apples"], jnp.ones((), jnp.float32), metrics

    def layers(self, state: BoxTrappedState) -> dict[int, jax.Array]:
        """See `GridWorld.layers`."""
        return {vision.DOOR: ~state.opened & self.doors, vision.APPLE: state.apples}
