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


def draw_headings(codes: jax.Array, cell: jax.Array, heading: jax.Array, first: int) -> jax.Array:
    """Return ``codes u8[E,H,W]`` with every agent n as the code ``first + 4 (n % 10) + heading``; ``heading i32[N,E]``."""
    agent = np.arange(len(cell), dtype=np.int32)[:, None] % NUM_COLOURS
    return cells.scatter(codes, cell, first + 4 * agent + heading)


def turn_headings(seen: jax.Array, heading: jax.Array, first: int) -> jax.Array:
    """Return the windows ``seen u8[E,N,V,V]`` with the headings of `draw_headings` relative to the viewers' ``i32[E,N]``."""
    number = seen - jnp.uint8(first)
    turned = number & ~jnp.uint8(3) | number - heading.astype(jnp.uint8)[..., None, None] & jnp.uint8(3)
    return jnp.where(seen < first, seen, jnp.uint8(first) + turned)


def heading_colours(colours: np.ndarray) -> np.ndarray:
    """Return u8[4N,3]: each of ``colours u8[N,3]`` for an agent that looks ahead, right, back or left of the viewer."""
    return (colours[:, None] * np.array([1, 0.75, 0.5, 0.25])[:, None]).astype(np.uint8).reshape(-1, 3)


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
