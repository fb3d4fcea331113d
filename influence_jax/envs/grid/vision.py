"""What agents see: a square window of cell codes around each agent, coloured at the very end."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import cells
from influence_jax.fusion import fusion_boundary

EMPTY, WALL, APPLE, WASTE, RIVER, STREAM, FIRE, CLEAN, DOOR, AGENT = range(10)  # cell codes; agent n is AGENT + n % 10
NUM_COLOURS = 10  # agents 10, 11, ... look like agents 0, 1, ...

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
        (139, 69, 19),
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
    ],
    np.uint8,
)


def draw_agents(codes: jax.Array, cell: jax.Array) -> jax.Array:
    """Return ``codes u8[E,H,W]`` with every agent, on ``cell i32[N,E]``, drawn over the map."""
    return cells.scatter(codes, cell, (AGENT + np.arange(len(cell), dtype=np.uint8) % NUM_COLOURS)[:, None])


def draw_beams(codes: jax.Array, beams: jax.Array) -> jax.Array:
    """Return ``codes u8[E,H,W]`` with ``beams u8[E,H,W]`` (see `beams.trace`) drawn over everything."""
    return cells.elementwise(lambda codes, beams: jnp.where(beams > 0, beams + jnp.uint8(FIRE - 1), codes))(
        codes, beams
    )


def windows(codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, radius: int) -> jax.Array:
    """Return u8[E,N,V,V], V = 2 radius + 1: the part of ``codes u8[E,H,W]`` around each agent, turned counter-clockwise.

    Cells outside the map are EMPTY. With ``quarter_turns i32[E,N]`` equal to the heading, the cell ahead of the agent at
    ``position i32[E,N,2]`` is above the centre.
    """
    side = 2 * radius + 1

    def window(padded, cell, turns):
        upright = jax.lax.dynamic_slice(padded, (cell[0], cell[1]), (side, side))
        across = jnp.where(turns % 2 == 0, upright, jnp.rot90(upright))
        return jnp.where(turns >= 2, jnp.rot90(across, 2), across)

    @fusion_boundary
    def nothing():
        return jnp.zeros((len(codes), *(size + 2 * radius for size in codes.shape[1:])), jnp.uint8)

    @fusion_boundary
    def cut(frame, codes, position, quarter_turns):
        # Into a frame made elsewhere: the loop of a pad would test every cell, which becomes no vector instructions.
        padded = jax.lax.dynamic_update_slice(frame, codes, (0, radius, radius))
        return jax.vmap(jax.vmap(window, in_axes=(None, 0, 0)))(padded, position, quarter_turns)

    return cut(nothing(), codes, position, quarter_turns)


def colour(codes: jax.Array, num_agents: int = NUM_COLOURS) -> jax.Array:
    """Return u8[...,3]: the colours of ``codes u8[...]`` in a game of ``num_agents``."""
    by_words = functools.partial(_colour_by_words, num_codes=AGENT + min(num_agents, NUM_COLOURS))
    return jax.lax.platform_dependent(codes, cpu=by_words, default=lambda codes: jnp.asarray(PALETTE)[codes])


def _colour_by_words(codes: jax.Array, num_codes: int) -> jax.Array:
    """Choose colours as words of four bytes and shift them together, four cells to three words.

    A look-up of single bytes takes a load and a store for each, and three times the time.
    """
    red, green, blue = PALETTE.T.astype(np.uint32)

    @fusion_boundary
    def choose(codes):  # bit by bit of the code: fewer vector instructions than loads and stores
        words, bit = list((red | green << 8 | blue << 16)[:num_codes]), 0
        while len(words) > 1:
            odd = (codes >> bit & 1) > 0
            pairs = itertools.zip_longest(words[::2], words[1::2])
            words = [even if other is None else jnp.where(odd, other, even) for even, other in pairs]
            bit += 1
        return words[0]

    @fusion_boundary
    def shift_together(cells):
        cells = cells.reshape(-1, 4)
        return cells[:, :3] >> np.array([0, 8, 16], np.uint32) | cells[:, 1:] << np.array([24, 16, 8], np.uint32)

    @fusion_boundary
    def split(words):
        return jax.lax.bitcast_convert_type(words.reshape(-1), jnp.uint8)

    flat = jnp.pad(codes.reshape(-1), (0, -codes.size % 4))
    pixels = split(shift_together(choose(flat))).reshape(-1, 3)
    return pixels[: codes.size].reshape(*codes.shape, 3)


def visible(row: jax.Array, column: jax.Array, radius: int) -> jax.Array:
    """Return bool[N,N,E]: the agent of the second axis is inside the window of that of the first; the diagonal is False."""
    down, right = row[:, None] - row, column[:, None] - column
    # Not by the larger of two absolute values, of which XLA for GPUs loses one (jaxlib 0.11.2, benchmarks/NOTES.md).
    near = (-radius <= down) & (down <= radius) & (-radius <= right) & (right <= radius)
    return near & ~np.eye(len(row), dtype=bool)[..., None]
