"""Turns and steps, and who gets a cell that several agents want.

Headings are clockwise quarter turns from up: 0 up, 1 right, 2 down, 3 left. Steps are relative to the agent's own
heading. Arrays are those of a batch of E games.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid.cells import look_up, select
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
    """Return how many rows and columns, i32 like ``heading``, one step along it is."""
    down, right = DIRECTIONS.T
    return select(heading, down), select(heading, right)


def turn(heading: jax.Array, actions: jax.Array) -> jax.Array:
    """Return the heading ``i32[N,E]`` after the turns among ``actions i32[N,E]``."""
    clockwise = (actions == TURN_CLOCKWISE).astype(jnp.int32)
    counterclockwise = (actions == TURN_COUNTERCLOCKWISE).astype(jnp.int32)
    return turned(heading, clockwise + 3 * counterclockwise)


def turned(heading: jax.Array, quarters: jax.Array | int) -> jax.Array:
    """Return the heading after ``quarters`` clockwise; a mask, since a remainder becomes no vector instruction."""
    return (heading + quarters) & 3


def wanted_cells(
    row: jax.Array, column: jax.Array, heading: jax.Array, actions: jax.Array, walls: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Return the row and column i32[N,E] each agent asks for: its own unless it steps to a cell of the map that is no wall."""
    solid = np.pad(walls, 1, constant_values=True)  # outside the map counts as wall

    @fusion_boundary
    def step(row, column, heading, actions):
        down, right = direction(turned(heading, select(actions, _QUARTERS)))
        stepping = (actions >= 0) & (actions < STAY)
        row, column = jnp.where(stepping, row + down, row), jnp.where(stepping, column + right, column)
        return row, column, (row + 1) * solid.shape[1] + column + 1

    to_row, to_column, there = step(row, column, heading, actions)
    blocked = look_up(solid, there)
    return jnp.where(blocked, row, to_row), jnp.where(blocked, column, to_column)


def resolve(cell: jax.Array, want: jax.Array, movers: jax.Array, rank: jax.Array) -> jax.Array:
    """Return bool[N,E]: who gets the cell it wants, when all steps are taken at once; the others stay.

    An agent gets the cell it wants unless (1) a mover of lower rank wants it too, (2) its occupant wants the agent's
    own cell, or (3) its occupant stays. Chains and closed loops of agents therefore move together, and if agents
    stand on distinct cells, they do so afterwards.

    Args:
        cell: numbers i32[N,E], distinct in each game.
        want: numbers i32[N,E] of the cells asked for, of the map and no wall.
        movers: bool[N,E], agents that step or stay. Others keep their cell and do not compete.
        rank: i32[N,E], distinct; of the rivals for a cell the one with the lowest rank may have it.
    """
    agents = np.arange(len(rank))
    bits = np.uint32(1) << (agents % _WORD).astype(np.uint32)
    of_word = [agents[first : first + _WORD] for first in range(0, len(rank), _WORD)]

    @fusion_boundary
    def ask(cell, want, movers, rank):
        stuck, waits = want == cell, []
        for others in of_word:
            waits.append(jnp.zeros(cell.shape, jnp.uint32))
            for other in others:
                occupied = (want == cell[other]) & (agents != other)[:, None]
                beaten = (want == want[other]) & (rank[other] < rank) & movers & movers[other]
                stuck = stuck | beaten | occupied & (cell == want[other])
                waits[-1] = jnp.where(occupied, waits[-1] | bits[other], waits[-1])
        return waits, stuck

    @fusion_boundary
    def follow(waits, stuck):  # u32[E] a word: whoever waits for a stuck agent, or for one who does, is stuck
        is_stuck = [
            functools.reduce(jnp.bitwise_or, (jnp.where(stuck[n], bits[n], 0) for n in word)) for word in of_word
        ]
        waits = [[word[agent] for word in waits] for agent in agents]
        for via in agents:  # Warshall's closure of the relation, in which a row is a few words
            for agent in agents[agents != via]:
                through = (waits[agent][via // _WORD] & bits[via]) > 0
                pairs = zip(waits[agent], waits[via], strict=True)
                waits[agent] = [jnp.where(through, own | further, own) for own, further in pairs]
        blocked = [
            functools.reduce(jnp.bitwise_or, (own & word for own, word in zip(row, is_stuck, strict=True)))
            for row in waits
        ]
        return [
            functools.reduce(jnp.bitwise_or, (jnp.where(blocked[n] > 0, bits[n], 0) for n in word), known)
            for word, known in zip(of_word, is_stuck, strict=True)
        ]

    stuck = follow(*ask(cell, want, movers, rank))
    return jnp.concatenate([(word & bits[others, None]) == 0 for word, others in zip(stuck, of_word, strict=True)])


_WORD = 32  # agents whose answers are the bits of one word
