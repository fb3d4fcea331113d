"""Turns and steps, and who gets a cell that several agents want.

Headings are clockwise quarter turns from up: 0 up, 1 right, 2 down, 3 left. Steps are relative to the agent's own
heading. Arrays are those of a batch of E games.
"""

import jax
import jax.numpy as jnp
import numpy as np

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
    blocked = jnp.asarray(solid.reshape(-1))[there]
    return jnp.where(blocked, row, to_row), jnp.where(blocked, column, to_column)


@fusion_boundary
def resolve(
    cell: tuple[jax.Array, jax.Array], want: tuple[jax.Array, jax.Array], movers: jax.Array, rank: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the row and column i32[N,E] of every agent after all steps, taken at once.

    An agent gets the cell it wants unless (1) a mover of lower rank wants it too, (2) its occupant wants the agent's
    own cell, or (3) its occupant stays. Chains and closed loops of agents therefore move together, and if agents
    stand on distinct cells, they do so afterwards.

    Args:
        cell: rows and columns i32[N,E], distinct in each game.
        want: rows and columns i32[N,E] asked for; a cell of the map that is no wall.
        movers: bool[N,E], agents that step or stay. Others keep their cell and do not compete.
        rank: i32[N,E], distinct; of the rivals for a cell the one with the lowest rank may have it.
    """

    def same(these, those):
        return (these[0][:, None] == those[0]) & (these[1][:, None] == those[1])

    other = ~np.eye(len(rank), dtype=bool)[..., None]
    rivals = same(want, want) & movers[:, None] & movers & other
    beaten = jnp.any(rivals & (rank < rank[:, None]), axis=1)
    waits = same(want, cell) & other  # the agent of the row for the cell of the agent of the column
    exchange = jnp.any(waits & jnp.swapaxes(waits, 0, 1), axis=1)
    stuck = (want[0] == cell[0]) & (want[1] == cell[1]) | beaten | exchange
    for _ in range(len(rank) - 1):  # whoever waits for a stuck agent is stuck
        stuck = stuck | jnp.any(waits & stuck, axis=1)
    return jnp.where(stuck, cell[0], want[0]), jnp.where(stuck, cell[1], want[1])
