"""Fire and cleaning beams: three parallel lanes of a few cells.

The middle lane starts in the cell ahead of the agent, the side lanes in the cells to its left and right. A lane stops
before a wall or the edge of the map, and at the first agent, whose cell it covers. Arrays are for a batch of E games.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.envs.grid import cells, kernels
from influence_jax.envs.grid.kernels.reference import Rays, steps
from influence_jax.envs.grid.movement import direction, turned
from influence_jax.fusion import fusion_boundary

NO_BEAM, FIRE_BEAM, CLEAN_BEAM = range(3)  # codes in the map of beams


@struct.dataclass
class Lanes:
    """The three lanes (left, middle, right) of every agent's beam, whether or not the agent uses it."""

    rays: Rays
    reach: jax.Array  # i32[3,N,E], number of cells covered, at most the length of a beam
    distance: (
        jax.Array
    )  # i32[3,N,N,E], steps from a lane's start to the second agent; the beam's length if off the lane


def cast(row: jax.Array, column: jax.Array, heading: jax.Array, walls: np.ndarray, length: int) -> Lanes:
    """Cast the lanes of every agent, ``i32[N,E]`` each, until ``walls bool[H,W]`` or other agents stop them."""

    @fusion_boundary
    def start(row, column, heading):
        down, right = direction(heading)
        side_down, side_right = direction(turned(heading, 1))
        first_row = row + jnp.stack([-side_down, down, side_down])
        first_column = column + jnp.stack([-side_right, right, side_right])
        return first_row, first_column, down, right

    @fusion_boundary
    def meet(row, column, first_row, first_column, down, right, free):
        behind, beside = row - first_row[:, :, None], column - first_column[:, :, None]  # i32[3,N,N,E]
        along = behind * down[:, None] + beside * right[:, None]
        across = behind * right[:, None] - beside * down[:, None]
        distance = jnp.where((across == 0) & (along >= 0), along, length)
        nearest = functools.reduce(jnp.minimum, (distance[:, :, agent] for agent in range(len(row))))
        return jnp.minimum(free, nearest + 1), jnp.minimum(distance, length)

    rays = Rays(heading, *start(row, column, heading))
    free = kernels.clear_cells(rays, walls=walls, length=length)
    return Lanes(rays, *meet(row, column, rays.row, rays.column, rays.down, rays.right, free))


@fusion_boundary
def hits(lanes: Lanes, fires: jax.Array) -> jax.Array:
    """Return i32[N,E]: how many beams hit each agent when the agents in ``fires bool[N,E]`` fire."""
    strikes = (lanes.distance < lanes.reach[:, :, None]) & fires[:, None]
    struck = strikes.reshape(-1, *fires.shape).astype(jnp.int32)
    return functools.reduce(jnp.add, struck)  # one loop, which a sum over leading axes would not be


def lane_cells(lanes: Lanes, width: int, length: int) -> jax.Array:
    """Return i32[L,3,N,E]: numbers of the cells along each lane up to ``length``, reached or not, on a map of ``width``."""
    step = steps(length)

    @fusion_boundary
    def along(row, column, down, right):
        return row * width + column + step * (down * width + right)

    rays = lanes.rays
    return along(rays.row, rays.column, rays.down, rays.right)


def covers(lanes: Lanes, length: int) -> jax.Array:
    """Return bool[L,3,N,E]: which of the `lane_cells` the lanes reach."""
    return lanes.reach > steps(length)


def clean(
    lanes: Lanes, cleans: jax.Array, rank: jax.Array, cell: jax.Array, waste: jax.Array
) -> tuple[Lanes, jax.Array, jax.Array]:
    """Find the waste that the beams of the agents in ``cleans bool[N,E]`` remove, one agent after another.

    A cleaning lane removes the first waste cell on its way and stops there, so a later beam may reach further.

    Args:
        lanes: as cast between walls and agents.
        cleans: bool[N,E], agents that clean.
        rank: i32[N,E], a permutation; the lowest rank acts first.
        cell: i32[L,3,N,E], the number of each of the `lane_cells`, distinct for distinct cells.
        waste: bool[L,3,N,E], whether there is waste; arbitrary beyond the reach of a lane.

    Returns:
        The lanes, with the reach of cleaning ones shortened; the cells i32[3*N,E] at which they stop, -1 for lanes that
        remove nothing; and i32[N,E], how many cells each agent cleaned.
    """
    step, length = steps(len(cell)), len(cell)

    def first(dirty):  # i32[3,N,E], the length if it meets no waste
        return functools.reduce(jnp.minimum, jnp.where(dirty, step, length))

    def ends(met, cell):  # i32[3,N,E], -1 for a lane that meets no waste
        at = jnp.full_like(met, -1)
        for number in range(length):
            at = jnp.where(met == number, cell[number], at)
        return at

    @fusion_boundary
    def removed(dirty, cell, acts):  # i32[3,E], the cells that the agent whose turn it is cleans
        gone = jnp.where(acts, ends(first(dirty), cell), -1)
        return jnp.max(gone, axis=1)

    @fusion_boundary
    def left(dirty, cell, gone, acts):
        hit = functools.reduce(jnp.logical_or, (cell == lane for lane in gone))
        return dirty & (acts | ~hit)  # two lanes of one agent may meet in a cell

    @fusion_boundary
    def end(dirty, cell, reach):
        met = first(dirty)
        at = ends(met, cell).reshape(-1, met.shape[-1])
        return jnp.minimum(reach, met + 1), at, jnp.sum(met < length, axis=0, dtype=jnp.int32)

    dirty = fusion_boundary(lambda waste, reach, cleans: waste & (step < reach) & cleans)(waste, lanes.reach, cleans)
    for turn in range(len(rank) - 1):
        acts = rank == turn
        dirty = left(dirty, cell, removed(dirty, cell, acts), acts)
    reach, gone, count = end(dirty, cell, lanes.reach)
    return dataclasses.replace(lanes, reach=reach), gone, count


def trace(
    lanes: Lanes, cell: jax.Array, fires: jax.Array, cleans: jax.Array, rank: jax.Array, shape: tuple[int, int]
) -> jax.Array:
    """Return u8[E,H,W]: the last beam, in acting order, that crosses each cell: NO_BEAM, FIRE_BEAM or CLEAN_BEAM.

    ``cell`` are the `lane_cells` of the lanes, and ``shape`` is that of the map, (H, W).
    """
    beam = jnp.where(fires | cleans, 2 * rank + jnp.where(cleans, 2, 1), 0)  # in acting order, odd for fire, 0 for none
    dtype = np.min_scalar_type(2 * len(rank))
    last = kernels.highest_beam(lanes.rays, lanes.reach, cell, beam, shape=shape, dtype=dtype)

    def kind(last):
        beam = jnp.where((last & 1) > 0, jnp.uint8(FIRE_BEAM), jnp.uint8(CLEAN_BEAM))
        return jnp.where(last > 0, beam, jnp.uint8(NO_BEAM))

    return cells.elementwise(kind)(last)
