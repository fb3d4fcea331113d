"""What agents see: a square window of cell codes around each agent, coloured at the very end."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import masks

EMPTY, WALL, APPLE, WASTE, RIVER, STREAM, FIRE, CLEAN, AGENT = range(9)  # cell codes; agent n is AGENT + n % 10
NUM_COLOURS = 10  # agents 10, 11, ... look like agents 0, 1, ...
DOOR = AGENT + NUM_COLOURS

PALETTE = np.array(
    [
        (0, 0, 0),
        (180, 180, 180),
        (0, 255, 0),
        (99, 156, 194),
        (113, 75, 24),
        (113, 75, 24),
        (255, 255, 0),
        (100, 255, 255),
        (0, 0, 255),
        (2, 81, 154),
        (204, 0, 204),
        (216, 30, 54),
        (254, 151, 0),
        (100, 255, 255),
        (99, 99, 255),
        (250, 204, 255),
        (238, 223, 16),
        (159, 67, 255),
        (139, 69, 19),
    ],
    np.uint8,
)


def draw_agents(codes: jax.Array, position: jax.Array) -> jax.Array:
    """Return ``codes u8[H,W]`` with every agent of ``position i32[N,2]`` drawn over the map."""
    for first in range(0, len(position), masks.WORD):
        some = position[first : first + masks.WORD]
        bits = jnp.uint32(1) << jnp.arange(len(some), dtype=jnp.uint32)
        standing = masks.covering_bits(
            some, some, bits, codes.shape
        )  # one bit at most, since agents never share a cell
        index = first + masks.WORD - 1 - jax.lax.clz(standing)
        codes = jnp.where(standing > 0, AGENT + (index % NUM_COLOURS).astype(jnp.uint8), codes)
    return codes


def draw_beams(codes: jax.Array, beams: jax.Array) -> jax.Array:
    """Return ``codes u8[H,W]`` with ``beams u8[H,W]`` (see `beams.trace`) drawn over everything."""
    return jnp.where(beams > 0, beams + jnp.uint8(FIRE - 1), codes)


def windows(codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, radius: int) -> jax.Array:
    """Return u8[N,V,V], V = 2 radius + 1: the part of ``codes u8[H,W]`` around each agent, turned counter-clockwise.

    Cells outside the map are EMPTY. With ``quarter_turns`` equal to the heading, the cell ahead is above the centre.
    """
    # A pad would test every cell, which does not become vector instructions; written into a frame that is not all zeros, the
    # map is no pad to the compiler.
    frame = np.pad(np.ones(codes.shape, np.uint8), radius)
    padded = jax.lax.dynamic_update_slice(jnp.asarray(frame), codes, (radius, radius))
    side = 2 * radius + 1

    def window(cell, turns):
        upright = jax.lax.dynamic_slice(padded, (cell[0], cell[1]), (side, side))
        across = jnp.where(turns % 2 == 0, upright, jnp.rot90(upright))
        return jnp.where(turns >= 2, jnp.rot90(across, 2), across)

    return jax.vmap(window)(position, quarter_turns)


def visible(position: jax.Array, radius: int) -> jax.Array:
    """Return bool[N,N]: the agent of the column is inside the window of the agent of the row; the diagonal is False."""
    distance = jnp.max(jnp.abs(position[:, None] - position[None]), axis=-1)
    return (distance <= radius) & ~np.eye(position.shape[0], dtype=bool)
