"""The functions that games are written in: each works on one game and is meant to be vmapped, which calls the batched kernels.

A map is ``[H,W]``. A cell is given by its row and column or by its number, row * W + column. Masks passed as keyword
arguments are NumPy arrays of the map as drawn, the same in all games.
"""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.batching import batched, leading, trailing
from influence_jax.envs.grid import beams, cells, kernels, movement, random_bits, vision
from influence_jax.fusion import fusion_boundary


@batched
def words(key: jax.Array, *, count: int, stream: int = 0) -> jax.Array:
    """Return u32[count], random words derived from ``key``; see `random_bits.words`."""
    return fusion_boundary(jax.vmap(lambda key: random_bits.words(key, count, stream)))(key)


@batched
def ranks(words: jax.Array) -> jax.Array:
    """Return i32[K], a uniformly random permutation: the rank of each of ``words u32[K]``."""
    return leading(random_bits.ranks(trailing(words)))


@batched
def bernoulli(draw: jax.Array, probability: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """Return bool[H,W]: at which sites an event with the same probability happens.

    Args:
        draw: f32[K] in [0,1), by site in row-major order.
        probability: f32[], the same at all sites.
        sites: bool[H,W], K of them.
    """
    return kernels.values_at_sites(fusion_boundary(jnp.less)(draw, probability[:, None]), sites=sites)


@batched
def bernoulli_by_count(draw: jax.Array, probabilities: jax.Array, count: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """Return bool[H,W]: at which sites an event happens whose probability depends on a count.

    Args:
        draw: f32[K] in [0,1), by site in row-major order.
        probabilities: f32[P], for a count of 0, 1, ..., and P - 1 or more.
        count: u8[H,W], the count at each cell.
        sites: bool[H,W], K of them.
    """
    most = probabilities.shape[1] - 1

    @fusion_boundary
    def compare(draw, probabilities):  # u8, one bit per count: whether it happens with that count
        return sum((draw < rate).astype(jnp.uint8) << bit for bit, rate in enumerate(probabilities))

    would = kernels.values_at_sites(compare(draw, jnp.moveaxis(probabilities, 1, 0)[..., None]), sites=sites)
    does = cells.elementwise(lambda would, count: (would >> jnp.minimum(count, most) & 1) > jnp.uint8(0))
    return does(would, count)


@batched
def count_neighbours(there: jax.Array, *, squared_distance: int) -> jax.Array:
    """Return u8[H,W]: how many other cells within the distance of each cell are true in ``there bool[H,W]``."""
    return cells.neighbours(there, squared_distance)


@batched
def count_free(taken: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """Return i32[]: the number of ``sites bool[H,W]`` that are not in ``taken bool[H,W]``."""
    return jnp.sum(cells.free_by_row(taken, sites), axis=0)


@batched
def nth_free(taken: jax.Array, n: jax.Array, *, sites: np.ndarray) -> jax.Array:
    """Return i32[]: the number of the ``n``-th cell of ``sites`` (from 0, row-major) that is not ``taken``; -1 if n is -1."""
    return cells.nth_free(taken, n, sites)


@batched
def put(there: jax.Array, cell: jax.Array, *, value: bool) -> jax.Array:
    """Return ``there bool[H,W]`` with ``value`` in the cells of number ``cell i32[K]``; negative numbers are ignored."""
    return cells.scatter(there, trailing(cell), value)


@batched
def get(there: jax.Array, cell: jax.Array) -> jax.Array:
    """Return bool[...]: the values of ``there bool[H,W]`` in the cells of number ``cell i32[...]``; arbitrary off the map."""
    return leading(kernels.gather(there, trailing(cell)))


@batched
def union(these: jax.Array, those: jax.Array) -> jax.Array:
    """Return bool[H,W]: the union of two masks bool[H,W]."""
    return cells.elementwise(lambda these, those: jnp.where(those, True, these))(these, those)


@batched
def move(
    position: jax.Array,
    heading: jax.Array,
    actions: jax.Array,
    rank: jax.Array,
    barred: jax.Array | None,
    *,
    walls: np.ndarray,
) -> tuple[jax.Array, jax.Array]:
    """Return ``(position i32[N,2], heading i32[N])`` after turns and steps; see `GridWorld.move`."""
    cell, heading, actions, rank = rows_and_columns(position), *map(trailing, (heading, actions, rank))
    want = movement.wanted_cells(*cell, heading, actions, walls)
    number, wanted = (row * walls.shape[1] + column for row, column in (cell, want))
    if barred is not None:
        wanted = jnp.where(kernels.gather(barred, wanted), number, wanted)
    moves = movement.resolve(number, wanted, (actions >= 0) & (actions <= movement.STAY), rank)
    row, column = (jnp.where(moves, new, old) for new, old in zip(want, cell, strict=True))
    return leading(jnp.stack([row, column], axis=1)), leading(movement.turn(heading, actions))


@batched
def fire(
    position: jax.Array, heading: jax.Array, fires: jax.Array, rank: jax.Array, *, walls: np.ndarray, length: int
) -> tuple[jax.Array, jax.Array]:
    """Return ``(beams u8[H,W], hits i32[N])``; see `GridWorld.fire`."""
    heading, fires, rank = map(trailing, (heading, fires, rank))
    lanes = beams.cast(*rows_and_columns(position), heading, walls, length)
    cell = beams.lane_cells(lanes, walls.shape[1], length)
    beam_map = beams.trace(lanes, cell, fires, jnp.zeros_like(fires), rank, walls.shape)
    return beam_map, leading(beams.hits(lanes, fires))


@batched
def fire_and_clean(
    position: jax.Array,
    heading: jax.Array,
    fires: jax.Array,
    cleans: jax.Array,
    rank: jax.Array,
    waste: jax.Array,
    *,
    walls: np.ndarray,
    length: int,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Return ``(waste bool[H,W], beams u8[H,W], hits i32[N], removed i32[N])``; see `GridWorld.fire_and_clean`."""
    heading, fires, cleans, rank = map(trailing, (heading, fires, cleans, rank))
    lanes = beams.cast(*rows_and_columns(position), heading, walls, length)
    cell = beams.lane_cells(lanes, walls.shape[1], length)
    swept, removed, count = beams.clean(lanes, cleans, rank, cell, kernels.gather(waste, cell))
    beam_map = beams.trace(swept, cell, fires, cleans, rank, walls.shape)
    return cells.scatter(waste, removed, False), beam_map, leading(beams.hits(lanes, fires)), leading(count)


@batched
def cells_ahead(position: jax.Array, heading: jax.Array, *, walls: np.ndarray, length: int) -> jax.Array:
    """Return i32[L,3,N]: the numbers of the cells that each agent's beam would cover, -1 beyond its reach."""
    lanes = beams.cast(*rows_and_columns(position), trailing(heading), walls, length)
    return leading(jnp.where(beams.covers(lanes, length), beams.lane_cells(lanes, walls.shape[1], length), -1))


@batched
def paint(layers: tuple[jax.Array, ...], *, codes: tuple[int, ...], background: np.ndarray) -> jax.Array:
    """Return u8[H,W]: ``background u8[H,W]`` painted over with each of ``codes`` where its layer bool[H,W] is true, in order."""

    def code(*args):
        *layers, painted = args
        for layer, number in zip(layers, codes, strict=True):
            painted = jnp.where(layer, jnp.uint8(number), painted)
        return painted

    return cells.elementwise(code)(*layers, background)


@batched
def paint_agents(codes: jax.Array, cell: jax.Array) -> jax.Array:
    """Return ``codes u8[H,W]`` with agents painted over the cells of number ``cell i32[N]``."""
    return vision.draw_agents(codes, trailing(cell))


@batched
def paint_headings(codes: jax.Array, cell: jax.Array, heading: jax.Array, *, first: int) -> jax.Array:
    """Return ``codes u8[H,W]`` with the agents and their ``heading i32[N]`` over everything; see `vision.draw_headings`."""
    return vision.draw_headings(codes, trailing(cell), trailing(heading), first)


@batched
def turn_headings(seen: jax.Array, heading: jax.Array, *, first: int) -> jax.Array:
    """Return ``seen u8[N,V,V]`` with headings relative to each viewer's ``heading i32[N]``; see `vision.turn_headings`."""
    return vision.turn_headings(seen, heading, first)


@batched
def paint_beams(codes: jax.Array, beam_map: jax.Array) -> jax.Array:
    """Return ``codes u8[H,W]`` with the beams u8[H,W] painted over it."""
    return vision.draw_beams(codes, beam_map)


@batched
def windows(
    codes: jax.Array, position: jax.Array, quarter_turns: jax.Array, *, radius: int, num_codes: int
) -> jax.Array:
    """Return u8[N,V,V]: the part of ``codes u8[H,W]`` that each agent sees; see `kernels.windows`."""
    return kernels.windows(codes, position, quarter_turns, radius=radius, num_codes=num_codes)


@batched
def colour(codes: jax.Array, *, palette: np.ndarray) -> jax.Array:
    """Return u8[...,3]: the ``palette u8[C,3]`` at ``codes u8[...]``."""
    return kernels.colour(codes, palette=palette)


@batched
def visible(position: jax.Array, *, radius: int) -> jax.Array:
    """Return bool[N,N]: whether the row's agent has the column's agent in its window; the diagonal is False."""
    see = fusion_boundary(lambda row, column: vision.visible(row, column, radius))
    return leading(see(*rows_and_columns(position)))


def rows_and_columns(position: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the rows and the columns, i32[N,E] each, of ``position i32[E,N,2]``."""
    row, column = jnp.moveaxis(position, 2, 0)
    return row.T, column.T
