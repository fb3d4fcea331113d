"""What agents see: a square window of cell codes around each agent, coloured at the very end."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import cells
from influence_jax.fusion import fusion_boundary
from influence_jax.platforms import by_platform

EMPTY, WALL, APPLE, WASTE, RIVER, STREAM, FIRE, CLEAN, DOOR, AGENT = range(10)  # cell codes; agent n is AGENT + n % 10
NUM_COLOURS = 10  # agents 10, 11, ... look like agents 0, 1, ...
OWN = AGENT + NUM_COLOURS  # the first code of what only one game has

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


def windows(codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, radius: int, num_codes: int) -> jax.Array:
    """Return u8[E,N,V,V], V = 2 radius + 1: the part of ``codes u8[E,H,W]`` around each agent, turned counter-clockwise.

    Cells outside the map are EMPTY. With ``quarter_turns i32[E,N]`` equal to the heading, the cell ahead of the agent at
    ``position i32[E,N,2]`` is above the centre.
    """
    by_slices = functools.partial(windows_by_slices, radius=radius)
    by_shifts = functools.partial(windows_by_shifts, radius=radius, code_bits=(num_codes - 1).bit_length())
    return by_platform(codes, position, quarter_turns, tpu=by_shifts, default=by_slices)


def windows_by_slices(codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, radius: int) -> jax.Array:
    """See `windows`."""
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


def windows_by_shifts(
    codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, radius: int, code_bits: int
) -> jax.Array:
    """See `windows`: the map is shifted by the bits of the position, for a TPU makes of slices a loop over all agents.

    Several codes of a row, then of a column, are shifted together as one word.
    """
    side, turns = 2 * radius + 1, jnp.moveaxis(quarter_turns, 0, -1)[:, None, None]  # i32[N,1,1,E]
    row, column = jnp.moveaxis(position, (2, 1, 0), (0, 1, 2))[:, :, None, None]  # i32[N,1,1,E]
    _, height, width = codes.shape
    seen = jnp.moveaxis(codes, 0, -1).astype(jnp.uint32)[None]  # [1,H,W,E]
    # The longer side first, so that less is shifted for every agent; of it as much as fills words.
    (first, start, _), (second, then, size) = ((1, row, height), (2, column, width))[:: 1 if height >= width else -1]
    enough = side + -side % _codes_in_word(side, code_bits)
    words = _shifted(_packed(seen, second, code_bits), start, first, radius, enough)
    seen = _unpacked(words, second, size, code_bits)  # [N,V,W,E] or [N,H,V,E]
    words = _shifted(_packed(seen, first, code_bits), then, second, radius, side)
    seen = _unpacked(words, first, side, code_bits)  # [N,V,V,E]
    across = jnp.where(turns % 2 == 0, seen, jnp.rot90(seen, axes=(1, 2)))
    turned = jnp.where(turns >= 2, jnp.rot90(across, 2, axes=(1, 2)), across)
    return jnp.moveaxis(turned, -1, 0).astype(jnp.uint8)


def _codes_in_word(size: int, code_bits: int) -> int:
    """Return into words of how many codes an axis of ``size`` is packed: as few words as there can be, all of them full."""
    return -(-size // -(-size // (32 // code_bits)))


def _packed(codes: jax.Array, axis: int, code_bits: int) -> jax.Array:
    """Return u32: the codes along an axis, several in a word."""
    count = _codes_in_word(codes.shape[axis], code_bits)
    padding = [(0, 0)] * codes.ndim
    padding[axis] = (0, -codes.shape[axis] % count)
    codes = jnp.pad(codes, padding)
    words = (jax.lax.slice_in_dim(codes, place, None, count, axis) << code_bits * place for place in range(count))
    return functools.reduce(jnp.bitwise_or, words)


def _unpacked(words: jax.Array, axis: int, size: int, code_bits: int) -> jax.Array:
    """Undo `_packed`, for an axis of ``size``."""
    count = _codes_in_word(size, code_bits)
    shape = [1] * (words.ndim + 1)
    shape[axis + 1] = count
    place = code_bits * np.arange(count, dtype=np.uint32).reshape(shape)
    codes = jnp.expand_dims(words, axis + 1) >> place & 2**code_bits - 1
    codes = codes.reshape(*words.shape[:axis], -1, *words.shape[axis + 1 :])
    return jax.lax.slice_in_dim(codes, 0, size, axis=axis)


_BITS_AT_ONCE = 3  # every pass over the map takes a TPU time of its own, and so does every place that a pass may select


def _shifted(maps: jax.Array, start: jax.Array, axis: int, radius: int, side: int) -> jax.Array:
    """Return ``side`` places of an axis, from ``start`` less the radius on, EMPTY outside."""
    size = maps.shape[axis]
    bits = (size - 1).bit_length()
    padding = [(0, 0)] * maps.ndim
    padding[axis] = (radius, side + 2**bits - 1 - radius - size)
    maps = jnp.pad(maps, padding)
    while bits:
        taken = min(_BITS_AT_ONCE, bits)
        bits -= taken  # the highest first, after which less is left
        length = side + 2**bits - 1
        places = [jax.lax.slice_in_dim(maps, n << bits, (n << bits) + length, axis=axis) for n in range(2**taken)]
        for bit in range(taken):
            odd = start >> bits + bit & 1 > 0
            places = [jnp.where(odd, far, near) for near, far in zip(places[::2], places[1::2], strict=True)]
        (maps,) = places
    return maps


def colour(codes: jax.Array, palette: np.ndarray) -> jax.Array:
    """Return u8[...,3]: the ``palette u8[C,3]`` at ``codes u8[...]``, all below C."""
    by_words, by_channels = (functools.partial(f, palette=palette) for f in (_colour_by_words, _colour_by_channels))
    return by_platform(codes, cpu=by_words, tpu=by_channels, default=lambda codes: jnp.asarray(palette)[codes])


def _words(codes: jax.Array, palette: np.ndarray) -> jax.Array:
    """Return u32 like ``codes``: red, green and blue from the lowest byte up, chosen bit by bit of the code."""
    red, green, blue = palette.T.astype(np.uint32)
    words, bit = list(red | green << 8 | blue << 16), 0
    while len(words) > 1:
        odd = (codes >> bit & 1) > 0
        pairs = itertools.zip_longest(words[::2], words[1::2])
        words = [even if other is None else jnp.where(odd, other, even) for even, other in pairs]
        bit += 1
    return words[0]


def _colour_by_channels(codes: jax.Array, palette: np.ndarray) -> jax.Array:
    """Choose colours without loads from memory, of which a TPU makes a loop."""
    return (_words(codes, palette)[..., None] >> np.array([0, 8, 16], np.uint32) & 255).astype(jnp.uint8)


def _colour_by_words(codes: jax.Array, palette: np.ndarray) -> jax.Array:
    """Choose colours as words of four bytes and shift them together, four cells to three words.

    A look-up of single bytes takes a load and a store for each, and three times the time.
    """

    @fusion_boundary
    def choose(codes):
        return _words(codes, palette)

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
