"""Fire and cleaning beams: three parallel lanes of five cells.

The middle lane starts in the cell ahead of the agent, the side lanes in the cells to its left and right. A lane ends
before a wall or the edge of the map, and at the first agent, which it covers.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.envs.grid import masks
from influence_jax.envs.grid.movement import DIRECTIONS

LENGTH = 5
BEAMS_PER_WORD = masks.WORD // 3
NO_BEAM, FIRE_BEAM, CLEAN_BEAM = range(3)  # codes in the map of beams


@struct.dataclass
class Lanes:
    """The three lanes (left, middle, right) that each agent's beam has, or would have."""

    start: jax.Array  # i32[N,3,2], the first cell, may lie in a wall or outside the map
    direction: jax.Array  # i32[N,2], (row, column) of one step along the lanes
    reach: jax.Array  # i32[N,3], number of cells covered, 0..LENGTH
    strikes: jax.Array  # bool[N,3,N], the lane of the row ends at the agent of the column


def clear_runs(walls: np.ndarray) -> np.ndarray:
    """Return u8[4,H+2,W+2]: by heading and cell (shifted by one), the free cells in a row from it, at most LENGTH."""
    height, width = walls.shape
    free = np.pad(~walls, 1 + LENGTH)
    runs = np.zeros((4, height + 2, width + 2), np.uint8)
    for heading, (down, right) in enumerate(DIRECTIONS):
        open_so_far = np.ones((height + 2, width + 2), bool)
        for step in range(LENGTH):
            top, left = LENGTH + step * down, LENGTH + step * right
            open_so_far &= free[top : top + height + 2, left : left + width + 2]
            runs[heading] += open_so_far
    return runs


def cast(position: jax.Array, heading: jax.Array, runs: np.ndarray) -> Lanes:
    """Cast the lanes of every agent between walls and agents; ``runs`` comes from `clear_runs`."""
    directions = jnp.asarray(DIRECTIONS)
    direction, side = directions[heading], directions[(heading + 1) % 4]
    start = position[:, None] + jnp.stack([-side, direction, side], axis=1)
    free = jnp.asarray(runs)[heading[:, None], start[..., 0] + 1, start[..., 1] + 1].astype(jnp.int32)
    down, right = (position[:, axis] - start[:, :, axis, None] for axis in range(2))  # i32[N,3,N]
    along = down * direction[:, 0, None, None] + right * direction[:, 1, None, None]
    across = down * side[:, 0, None, None] + right * side[:, 1, None, None]
    distance = jnp.where((across == 0) & (along >= 0), along, LENGTH)
    reach = jnp.minimum(free, jnp.min(distance, axis=-1) + 1)
    return Lanes(start, direction, reach, strikes=distance < reach[..., None])


def hits(lanes: Lanes, fires: jax.Array) -> jax.Array:
    """Return i32[N]: how many of the beams of the agents in ``fires bool[N]`` strike each agent."""
    return jnp.sum(lanes.strikes & fires[:, None, None], axis=(0, 1), dtype=jnp.int32)


def clean(lanes: Lanes, cleans: jax.Array, rank: jax.Array, waste: jax.Array) -> tuple[Lanes, jax.Array]:
    """Find what the beams of the agents in ``cleans bool[N]`` remove, one agent after another.

    A cleaning lane removes the first waste cell on its way and ends there, so a later beam may reach past it.

    Args:
        lanes: as cast between walls and agents.
        cleans: bool[N], agents with a cleaning beam.
        rank: i32[N], a permutation; lowest acts first.
        waste: bool[H,W].

    Returns:
        The lanes with the reach of the cleaning ones shortened, so that `trace` finds what they swept; and i32[N], the
        waste cells each agent removed.
    """
    num_agents = cleans.shape[0]
    steps = jnp.arange(LENGTH)
    cells = lanes.start[:, :, None] + steps[:, None] * lanes.direction[:, None, None]  # i32[N,3,LENGTH,2]
    inside = cleans[:, None, None] & (steps < lanes.reach[..., None])
    dirty = inside & waste.at[cells[..., 0], cells[..., 1]].get(mode="clip")
    cell = jnp.where(inside, cells[..., 0] * waste.shape[1] + cells[..., 1], -1)

    order = jnp.sum(jnp.where(rank == jnp.arange(num_agents)[:, None], jnp.arange(num_agents), 0), axis=1)
    dirty, cell = dirty[order], cell[order]
    first = []
    for _ in range(num_agents):
        first.append(jnp.min(jnp.where(dirty[0], steps, LENGTH), axis=-1))  # i32[3], LENGTH where it meets no waste
        removed = jnp.max(jnp.where(steps == first[-1][:, None], cell[0], -1), axis=-1)
        cell = cell[1:]
        dirty = dirty[1:] & ~jnp.any(cell[..., None] == removed, axis=-1)
    first = jnp.stack(first)[rank]
    met = first < LENGTH
    return lanes.replace(reach=jnp.minimum(lanes.reach, first + 1)), jnp.sum(met, axis=-1, dtype=jnp.int32)


def trace(
    lanes: Lanes, fires: jax.Array, cleans: jax.Array, rank: jax.Array, shape: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """Return u8[H,W], the last beam in acting order that crosses each cell, and bool[H,W], the cells swept by a cleaning one.

    Beams are NO_BEAM, FIRE_BEAM or CLEAN_BEAM. No swept cell holds waste afterwards: a lane meets none before its end.
    Each lane is one bit of a word and later lanes are higher bits, so that of two sets of lanes the one with the
    later lane is the larger number.
    """
    end = lanes.start + (lanes.reach[..., None] - 1) * lanes.direction[:, None]
    low, high = jnp.minimum(lanes.start, end), jnp.maximum(lanes.start, end)
    shown = (lanes.reach > 0) & (fires | cleans)[:, None]
    beams, swept = jnp.full(shape, NO_BEAM, jnp.uint8), jnp.zeros(shape, bool)
    for first in range(0, len(rank), BEAMS_PER_WORD):
        turn = (rank - first)[:, None]
        in_word = shown & (turn >= 0) & (turn < BEAMS_PER_WORD)
        shift = jnp.where(in_word, 3 * turn + jnp.arange(3), 0).astype(jnp.uint32)
        bit = jnp.where(in_word, jnp.uint32(1) << shift, 0)
        crossing = masks.covering_bits(low, high, bit, shape)
        cleaning = jnp.sum(jnp.where(cleans[:, None], bit, 0), dtype=jnp.uint32)
        kind = jnp.where(crossing & cleaning > crossing & ~cleaning, jnp.uint8(CLEAN_BEAM), jnp.uint8(FIRE_BEAM))
        beams = jnp.where(crossing > 0, kind, beams)
        swept |= crossing & cleaning > 0
    return beams, swept
