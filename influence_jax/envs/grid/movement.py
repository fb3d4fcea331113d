"""Turns and steps, and who wins a cell that several agents want.

Headings are clockwise quarter turns from up: 0 up, 1 right, 2 down, 3 left. Steps are relative to the agent's heading. Arrays
are for a batch of E games.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import kernels
from influence_jax.envs.grid.cells import select
from influence_jax.fusion import fusion_boundary

LEFT, RIGHT, FORWARD, BACKWARD, STAY, TURN_CLOCKWISE, TURN_COUNTERCLOCKWISE, FIRE, CLEAN = range(9)
ACTION_NAMES = (
    "left",
    "right",
    "forward",
    "backward",
    "stay",
    "turn_clockwise",
    "turn_counterclockwise",
    "fire",
    "clean",
)

DIRECTIONS = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]], np.int32)  # (row, column) of one step, by heading
_QUARTERS = (3, 1, 0, 2)  # quarter turns from the heading to the step, by action


def direction(heading: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the rows and columns of one step along ``heading``, each i32 like it."""
    down, right = DIRECTIONS.T
    return select(heading, down), select(heading, right)


def turn(heading: jax.Array, actions: jax.Array) -> jax.Array:
    """Return the heading ``i32[N,E]`` after the turns among ``actions i32[N,E]``."""
    clockwise = (actions == TURN_CLOCKWISE).astype(jnp.int32)
    counterclockwise = (actions == TURN_COUNTERCLOCKWISE).astype(jnp.int32)
    return turned(heading, clockwise + 3 * counterclockwise)


def turned(heading: jax.Array, quarters: jax.Array | int) -> jax.Array:
    """Return the heading after ``quarters`` clockwise turns; masks, because XLA does not vectorise a remainder."""
    return (heading + quarters) & 3


def wanted_cells(
    row: jax.Array, column: jax.Array, heading: jax.Array, actions: jax.Array, walls: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Return the row and column i32[N,E] that each agent wants: its own, unless it steps to a cell of the map that is no wall."""
    solid = np.pad(walls, 1, constant_values=True)  # outside the map there are walls

    @fusion_boundary
    def step(row, column, heading, actions):
        down, right = direction(turned(heading, select(actions, _QUARTERS)))
        stepping = (actions >= 0) & (actions < STAY)
        row, column = jnp.where(stepping, row + down, row), jnp.where(stepping, column + right, column)
        return row, column, (row + 1) * solid.shape[1] + column + 1

    to_row, to_column, there = step(row, column, heading, actions)
    blocked = kernels.look_up(there, drawn=solid)
    return jnp.where(blocked, row, to_row), jnp.where(blocked, column, to_column)


def resolve(cell: jax.Array, want: jax.Array, movers: jax.Array, rank: jax.Array) -> jax.Array:
    """Return bool[N,E]: which agents get the cell they want when all step simultaneously; the others stay.

    An agent gets the cell it wants unless (1) a mover of lower rank wants it too, (2) its occupant wants the agent's
    own cell, or (3) its occupant stays. Chains and closed loops of agents therefore move together, and agents on distinct
    cells stay on distinct cells.

    Args:
        cell: cell numbers i32[N,E], distinct within each game.
        want: numbers i32[N,E] of the wanted cells, which are on the map and not walls.
        movers: bool[N,E], agents that step or stay. Other agents keep their cell and do not compete.
        rank: i32[N,E], distinct; the lowest rank wins a contested cell.
    """
    agents = np.arange(len(rank))[:, None]

    @fusion_boundary
    def ask(cell, want, movers, rank):
        stuck, waits = want == cell, []
        for other in range(len(rank)):
            if other % _WORD == 0:
                waits.append(jnp.zeros(cell.shape, jnp.uint32))
            occupied = (want == cell[other]) & (agents != other)
            beaten = (want == want[other]) & (rank[other] < rank) & movers & movers[other]
            stuck = stuck | beaten | occupied & (cell == want[other])
            waits[-1] = jnp.where(occupied, waits[-1] | _bit(other), waits[-1])
        return waits, stuck

    waits, stuck = ask(cell, want, movers, rank)
    return ~(_follow_in_one_word(waits[0], stuck) if len(waits) == 1 else _follow(jnp.stack(waits), stuck))


# An agent that waits for a stuck agent, directly or indirectly, is stuck. The bits of a word say which agents an agent waits
# for, and Warshall's algorithm closes this relation: for each agent in turn, whoever waits for it waits for all it waits for.

_WORD = 32


def _bit(agent: int) -> np.uint32:
    return np.uint32(1 << agent % _WORD)


@fusion_boundary
def _any_bit(flags: jax.Array) -> jax.Array:
    """Return u32[E]: ``flags bool[N,E]`` of at most `_WORD` agents as bits."""
    return functools.reduce(jnp.bitwise_or, (jnp.where(flag, _bit(agent), 0) for agent, flag in enumerate(flags)))


def _follow_in_one_word(waits: jax.Array, stuck: jax.Array) -> jax.Array:
    """Return bool[N,E]: which agents end up stuck, for ``waits u32[N,E]`` and ``stuck bool[N,E]``."""

    @fusion_boundary
    def follow(waits, is_stuck):  # one expression with a word per agent
        waits = list(waits)
        for via in range(len(waits)):
            for agent in range(len(waits)):
                if agent != via:
                    waits[agent] = jnp.where((waits[agent] & _bit(via)) > 0, waits[agent] | waits[via], waits[agent])
        blocked = (jnp.where((row & is_stuck) > 0, _bit(agent), 0) for agent, row in enumerate(waits))
        return functools.reduce(jnp.bitwise_or, blocked, is_stuck)

    bits = np.array([_bit(agent) for agent in range(len(stuck))])[:, None]
    return (follow(waits, _any_bit(stuck)) & bits) > 0


def _follow(waits: jax.Array, stuck: jax.Array) -> jax.Array:
    """Like `_follow_in_one_word` for ``waits u32[M,N,E]``, in a loop because one expression would take minutes to compile."""

    def close(via, waits):
        row = jax.lax.dynamic_index_in_dim(waits, via, axis=1)
        word = jax.lax.dynamic_index_in_dim(waits, via // _WORD, keepdims=False)
        return jnp.where((word >> (via % _WORD).astype(jnp.uint32) & 1) > 0, waits | row, waits)

    waits = jax.lax.fori_loop(0, len(stuck), close, waits)
    is_stuck = jnp.stack([_any_bit(stuck[first : first + _WORD]) for first in range(0, len(stuck), _WORD)])
    return stuck | jnp.any((waits & is_stuck[:, None]) > 0, axis=0)
