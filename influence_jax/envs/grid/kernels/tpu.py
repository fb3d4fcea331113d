"""Kernels for a TPU: selects, shifts and matrix products instead of gathers and dynamic slices, which would become loops.

The batch always stays along the lanes of the vector unit.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid.kernels.cpu import colour_words
from influence_jax.envs.grid.kernels.gpu import highest_beam, scatter
from influence_jax.envs.grid.kernels.reference import Rays

__all__ = [
    "clear_cells",
    "colour",
    "exclusive_cumsum",
    "gather",
    "highest_beam",
    "look_up",
    "scatter",
    "values_at_sites",
    "windows",
]


def gather(maps: jax.Array, cell: jax.Array) -> jax.Array:
    """See `reference`; packs every row of a map into a few words and selects one of them; a gather would need a flat map."""
    width = maps.shape[2]
    bits = jnp.where(maps, _bits(width), np.uint32(0))
    parts = (jnp.sum(bits[..., first : first + 32], axis=-1, dtype=jnp.uint32) for first in range(0, width, 32))
    words = jnp.stack([part.T for part in parts], axis=1).reshape(-1, len(maps))  # u32[H * count, E]
    return _bit_of(words, width, cell)


def look_up(cell: jax.Array, *, drawn: np.ndarray) -> jax.Array:
    """See `reference` and `gather`."""
    width = drawn.shape[1]
    bits = np.where(drawn, _bits(width), np.uint32(0))
    parts = [bits[:, first : first + 32].sum(axis=1, dtype=np.uint32) for first in range(0, width, 32)]
    return _bit_of(np.stack(parts, axis=1).reshape(-1), width, cell)


def _bits(width: int) -> np.ndarray:
    return np.uint32(1) << (np.arange(width, dtype=np.uint32) % 32)


def _bit_of(words: jax.Array | np.ndarray, width: int, cell: jax.Array) -> jax.Array:
    """Return bool like ``cell``: its bit in ``words``, each of which holds 32 columns of a row, row after row."""
    row, column = cell // width, cell % width
    which, chosen = row * -(-width // 32) + column // 32, jnp.zeros(cell.shape, jnp.uint32)
    for number, word in enumerate(words):
        chosen = jnp.where(which == number, word, chosen)
    return (chosen >> (column % 32).astype(jnp.uint32) & 1) > 0


def exclusive_cumsum(counts: jax.Array) -> jax.Array:
    """See `reference`; uses the matrix unit."""
    earlier = np.tri(len(counts), k=-1, dtype=np.float32)
    return jnp.dot(earlier, counts.astype(jnp.float32), precision="highest").astype(jnp.int32)


def values_at_sites(values: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """See `reference`; a matrix product in bfloat16, which represents values below 256 exactly."""
    place = np.eye(sites.size, dtype=np.float32)[np.flatnonzero(sites)]
    product = jnp.dot(values.astype(jnp.bfloat16), place.astype(jnp.bfloat16), preferred_element_type=jnp.float32)
    return product.astype(values.dtype).reshape(-1, *sites.shape)


def clear_cells(rays: Rays, *, walls: np.ndarray, length: int) -> jax.Array:
    """See `reference`; looks up the map at every cell."""
    free = np.pad(~walls, length)
    place = (rays.row + length) * free.shape[1] + rays.column + length
    reached = [look_up(place + step * (rays.down * free.shape[1] + rays.right), drawn=free) for step in range(length)]
    open_cells = (x.astype(jnp.int32) for x in itertools.accumulate(reached, jnp.logical_and))
    return functools.reduce(jnp.add, open_cells)


def colour(codes: jax.Array, *, palette: np.ndarray) -> jax.Array:
    """See `reference`; computes all channels by one broadcast."""
    return (colour_words(codes, palette)[..., None] >> np.array([0, 8, 16], np.uint32) & 255).astype(jnp.uint8)


def windows(
    codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, *, radius: int, num_codes: int
) -> jax.Array:
    """See `reference`; shifts the map by the bits of the position, because slices would become a loop over all agents.

    Several codes of a row, and then of a column, are packed into a word and shifted together.
    """
    code_bits, side = (num_codes - 1).bit_length(), 2 * radius + 1
    turns = jnp.moveaxis(quarter_turns, 0, -1)[:, None, None]  # i32[N,1,1,E]
    row, column = jnp.moveaxis(position, (2, 1, 0), (0, 1, 2))[:, :, None, None]  # i32[N,1,1,E]
    _, height, width = codes.shape
    seen = jnp.moveaxis(codes, 0, -1).astype(jnp.uint32)[None]  # [1,H,W,E]
    # The longer side first, so that less is shifted for every agent; as much of it as fills whole words.
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
    """Return how many codes to pack into a word, so that an axis of ``size`` takes as few words as possible, all of them full."""
    return -(-size // -(-size // (32 // code_bits)))


def _packed(codes: jax.Array, axis: int, code_bits: int) -> jax.Array:
    """Return u32: the codes along an axis, several per word."""
    count = _codes_in_word(codes.shape[axis], code_bits)
    padding = [(0, 0)] * codes.ndim
    padding[axis] = (0, -codes.shape[axis] % count)
    codes = jnp.pad(codes, padding)
    words = (jax.lax.slice_in_dim(codes, place, None, count, axis) << code_bits * place for place in range(count))
    return functools.reduce(jnp.bitwise_or, words)


def _unpacked(words: jax.Array, axis: int, size: int, code_bits: int) -> jax.Array:
    """Undo `_packed` for an axis of ``size``."""
    count = _codes_in_word(size, code_bits)
    shape = [1] * (words.ndim + 1)
    shape[axis + 1] = count
    place = code_bits * np.arange(count, dtype=np.uint32).reshape(shape)
    codes = jnp.expand_dims(words, axis + 1) >> place & 2**code_bits - 1
    codes = codes.reshape(*words.shape[:axis], -1, *words.shape[axis + 1 :])
    return jax.lax.slice_in_dim(codes, 0, size, axis=axis)


_BITS_AT_ONCE = 3  # a TPU pays for every pass over the map, and for every place that a pass selects from


def _shifted(maps: jax.Array, start: jax.Array, axis: int, radius: int, side: int) -> jax.Array:
    """Return ``side`` places of an axis from ``start - radius`` on, EMPTY off the map."""
    size = maps.shape[axis]
    bits = (size - 1).bit_length()
    padding = [(0, 0)] * maps.ndim
    padding[axis] = (radius, side + 2**bits - 1 - radius - size)
    maps = jnp.pad(maps, padding)
    while bits:
        taken = min(_BITS_AT_ONCE, bits)
        bits -= taken  # the highest first, so that later passes have less to shift
        length = side + 2**bits - 1
        places = [jax.lax.slice_in_dim(maps, n << bits, (n << bits) + length, axis=axis) for n in range(2**taken)]
        for bit in range(taken):
            odd = start >> bits + bit & 1 > 0
            places = [jnp.where(odd, far, near) for near, far in zip(places[::2], places[1::2], strict=True)]
        (maps,) = places
    return maps
