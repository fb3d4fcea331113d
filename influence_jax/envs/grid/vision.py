"""What agents see: a square window of cell codes around each agent, which is coloured at the very end."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import cells

EMPTY, WALL, APPLE, WASTE, RIVER, STREAM, FIRE, CLEAN, DOOR, AGENT = range(10)  # cell codes; agent n is AGENT + n % 10
NUM_COLOURS = 10  # agents 10, 11, ... look like agents 0, 1, ...
OWN = AGENT + NUM_COLOURS  # the first code that a game may define for itself

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
    """Return ``codes u8[E,H,W]`` with every agent painted over its ``cell i32[N,E]``."""
    return cells.scatter(codes, cell, (AGENT + np.arange(len(cell), dtype=np.uint8) % NUM_COLOURS)[:, None])


def draw_beams(codes: jax.Array, beams: jax.Array) -> jax.Array:
    """Return ``codes u8[E,H,W]`` with ``beams u8[E,H,W]`` (see `beams.trace`) painted over everything."""
    return cells.elementwise(lambda codes, beams: jnp.where(beams > 0, beams + jnp.uint8(FIRE - 1), codes))(
        codes, beams
    )


def visible(row: jax.Array, column: jax.Array, radius: int) -> jax.Array:
    """Return bool[N,N,E]: whether the first agent has the second in its window; the diagonal is False."""
    down, right = row[:, None] - row, column[:, None] - column
    # Not the maximum of two absolute values: XLA for GPUs drops one of them (jaxlib 0.11.2, benchmarks/NOTES.md).
    near = (-radius <= down) & (down <= radius) & (-radius <= right) & (right <= radius)
    return near & ~np.eye(len(row), dtype=bool)[..., None]
