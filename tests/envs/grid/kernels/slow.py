"""The kernels in NumPy, one cell at a time."""

import numpy as np


def gather(maps, cell):
    found = np.zeros(cell.shape, bool)
    for place in np.ndindex(cell.shape):
        found[place] = maps[place[-1]].flat[cell[place]]
    return found


def look_up(cell, drawn):
    return drawn.flat[cell]


def scatter(maps, cell, value):
    maps = maps.copy()
    for k, game in np.argwhere(cell >= 0):
        maps[game].flat[cell[k, game]] = value[k, game]
    return maps


def exclusive_cumsum(counts):
    return np.stack([counts[:place].sum(axis=0) for place in range(len(counts))]).astype(np.int32)


def values_at_sites(values, sites):
    maps = np.zeros((len(values), *sites.shape), values.dtype)
    maps[:, sites] = values
    return maps


def along(rays, lane, step):
    """The row and the column of the cell ``step`` cells from the first of a ``lane`` (which, agent, game)."""
    agent = lane[1:]
    return rays.row[lane] + step * rays.down[agent], rays.column[lane] + step * rays.right[agent]


def clear_cells(rays, walls, length):
    clear, free = np.zeros(rays.row.shape, np.int32), set(map(tuple, np.argwhere(~walls)))
    for lane in np.ndindex(clear.shape):
        while clear[lane] < length and along(rays, lane, clear[lane]) in free:
            clear[lane] += 1
    return clear


def highest_beam(rays, reach, cell, beam, shape, dtype):
    maps = np.zeros((beam.shape[1], *shape), dtype)
    for lane in np.ndindex(reach.shape):
        for step in range(reach[lane]):
            place = lane[2], *along(rays, lane, step)
            maps[place] = max(maps[place], beam[lane[1:]])
    return maps


def windows(codes, position, quarter_turns, radius, num_codes):
    side = 2 * radius + 1
    seen = np.zeros((*quarter_turns.shape, side, side), np.uint8)
    framed = np.pad(codes, ((0, 0), (radius, radius), (radius, radius)))
    for game, agent in np.ndindex(quarter_turns.shape):
        row, column = position[game, agent]
        window = framed[game, row : row + side, column : column + side]
        seen[game, agent] = np.rot90(window, quarter_turns[game, agent])
    return seen


def colour(codes, palette):
    return palette[codes]
