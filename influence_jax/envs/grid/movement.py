"""Turns and steps, and who gets a cell that several agents want.

Headings are clockwise quarter turns from up: 0 up, 1 right, 2 down, 3 left. Steps are relative to the agent's own
heading.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

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
_QUARTERS = np.array([3, 1, 0, 2], np.int32)  # quarter turns from the heading to the step, by action


def turn(heading: jax.Array, actions: jax.Array) -> jax.Array:
    """Return the heading ``i32[N]`` after the turns among ``actions i32[N]``."""
    clockwise = (actions == TURN_CLOCKWISE).astype(jnp.int32)
    counterclockwise = (actions == TURN_COUNTERCLOCKWISE).astype(jnp.int32)
    return (heading + clockwise + 3 * counterclockwise) % 4


def wanted_cells(position: jax.Array, heading: jax.Array, actions: jax.Array, walls: np.ndarray) -> jax.Array:
    """Return i32[N,2]: the cell each agent asks for; its own unless it steps to a cell of the map that is no wall."""
    direction = (heading + jnp.asarray(_QUARTERS)[jnp.clip(actions, 0, 3)]) % 4
    stepping = actions < STAY
    want = position + jnp.where(stepping[:, None], jnp.asarray(DIRECTIONS)[direction], 0)
    solid = jnp.asarray(np.pad(walls, 1, constant_values=True))  # outside the map counts as wall
    blocked = solid[want[:, 0] + 1, want[:, 1] + 1]
    return jnp.where(blocked[:, None], position, want)


def resolve(position: jax.Array, want: jax.Array, movers: jax.Array, rank: jax.Array) -> jax.Array:
    """Return the position ``i32[N,2]`` of every agent after all steps, taken at once.

    An agent gets the cell it wants unless (1) a mover of lower rank wants it too, (2) its occupant wants the agent's
    own cell, or (3) its occupant stays. Chains and closed loops of agents therefore move together, and if agents
    stand on distinct cells, they do so afterwards.

    Args:
        position: i32[N,2], distinct cells.
        want: i32[N,2], the cell asked for; a cell of the map that is no wall.
        movers: bool[N], agents that step or stay. Others keep their cell and do not compete.
        rank: i32[N], distinct; of the rivals for a cell the one with the lowest rank may have it.
    """
    num_agents = position.shape[0]
    index = jnp.arange(num_agents)
    other = ~np.eye(num_agents, dtype=bool)
    rivals = jnp.all(want[:, None] == want[None], axis=-1) & movers[:, None] & movers[None] & other
    beaten = jnp.any(rivals & (rank[None] < rank[:, None]), axis=1)
    wants_cell_of = jnp.all(want[:, None] == position[None], axis=-1) & other
    exchange = jnp.any(wants_cell_of & wants_cell_of.T, axis=1)
    stuck = jnp.all(want == position, axis=-1) | beaten | exchange
    # Whoever waits for a stuck agent is stuck. Every agent waits for at most one other, so following these links with
    # doubling strides reaches the end of any chain in log2(N) rounds.
    ahead = jnp.where(jnp.any(wants_cell_of, axis=1), jnp.argmax(wants_cell_of, axis=1), index)
    for _ in range(math.ceil(math.log2(num_agents))):
        stuck = stuck | stuck[ahead]
        ahead = ahead[ahead]
    return jnp.where(stuck[:, None], position, want)
