"""Inputs for every kernel, on odd maps and at edges, and a comparison of a version with the reference."""

import functools

import jax
import numpy as np
import pytest

from influence_jax.envs.grid.kernels import reference
from influence_jax.envs.grid.kernels.reference import Rays
from tests.envs.grid.kernels import slow

SHAPES = [(3, 9, 14), (1, 1, 1), (2, 3, 70)]  # (E, H, W)
STEPS = np.array([[-1, 0], [0, 1], [1, 0], [0, -1]])  # by heading


def each(names):
    """Parametrise a test with ``name, args, static`` of all cases of these kernels."""
    found = [(name, number, case) for name in names for number, case in enumerate(CASES[name]())]
    params = [pytest.param(name, *case, id=f"{name}-{number}") for name, number, case in found]
    return pytest.mark.parametrize(("name", "args", "static"), params)


def call(module, name, args, static):
    return jax.jit(functools.partial(getattr(module, name), **static))(*args)


def assert_as_reference(module, name, args, static):
    expected = call(reference, name, args, static)
    np.testing.assert_array_equal(call(module, name, args, static), expected, strict=True)


def gather():
    rng = np.random.default_rng(0)
    for games, height, width in SHAPES:
        maps = rng.random((games, height, width)) < 0.5
        yield (maps, rng.integers(0, height * width, (5, 3, games), np.int32)), {}


def look_up():
    rng = np.random.default_rng(1)
    for _, *shape in SHAPES:
        drawn = rng.random(shape) < 0.5
        yield (rng.permutation(drawn.size).astype(np.int32).reshape(1, -1),), {"drawn": drawn}


def scatter():
    """Some cells are negative, and equal cells get equal values."""
    rng = np.random.default_rng(2)
    for shape, dtype in zip(SHAPES, (np.uint8, bool, np.int32), strict=True):
        games, height, width = shape
        cell = rng.integers(0, height * width, (7, games), np.int32)
        cell[2], cell[4, 0] = -1, -1
        yield (rng.integers(0, 9, shape).astype(dtype), cell, (cell % 5 * 20).astype(dtype)), {}


def exclusive_cumsum():
    for places in (1, 9, 40):
        yield (np.random.default_rng(3).integers(0, 4, (places, 6), np.int32),), {}


def values_at_sites():
    for sites in (np.zeros((3, 4), bool), np.eye(3, 4, dtype=bool), np.ones((3, 4), bool)):
        values = np.random.default_rng(4).integers(1, 256, (5, sites.sum()))
        yield (values.astype(np.uint8),), {"sites": sites}
    yield (values % 2 > 0,), {"sites": sites}


def beams():
    """``(walls, length, rays)`` of six agents in any cells, at the edge too."""
    rng = np.random.default_rng(5)
    for (games, *shape), length in zip([*SHAPES, (2, 1, 7)], (5, 5, 4, 1), strict=True):
        heading = np.arange(6 * games, dtype=np.int32).reshape(6, games) % 4
        (down, right), (row, column) = np.moveaxis(STEPS[heading], -1, 0), rng.integers(0, shape, (6, games, 2)).T
        row = np.stack([row.T - right, row.T + down, row.T + right])  # to the right of (down, right) is (right, -down)
        column = np.stack([column.T + down, column.T + right, column.T - down])
        yield rng.random(shape) < 0.2, length, Rays(*(x.astype(np.int32) for x in (heading, row, column, down, right)))


def clear_cells():
    for walls, length, rays in beams():
        yield (rays,), {"walls": walls, "length": length}


def highest_beam():
    """Some lanes end early, some agents have no beam, and numbers need a byte or two."""
    rng = np.random.default_rng(6)
    for factor, (walls, length, rays) in enumerate(beams(), 1):
        reach = rng.integers(0, slow.clear_cells(rays, walls, length) + 1, dtype=np.int32)
        steps = np.arange(length, dtype=np.int32)[:, None, None, None]
        cell = (rays.row + steps * rays.down) * walls.shape[1] + rays.column + steps * rays.right
        beam = rng.permuted(np.broadcast_to(np.arange(6)[:, None], rays.heading.shape), axis=0) * factor * 17
        static = {"shape": walls.shape, "dtype": np.min_scalar_type(5 * factor * 17)}
        yield (rays, reach, cell, beam.astype(np.int32)), static


def windows():
    """Windows of one cell, and such as are larger than the map."""
    rng = np.random.default_rng(7)
    for (games, *shape), radius, num_codes in zip(SHAPES, (2, 7, 0), (12, 19, 40), strict=True):
        codes = rng.integers(0, num_codes, (games, *shape)).astype(np.uint8)
        turns = np.arange(games * 5, dtype=np.int32).reshape(games, 5) % 4
        static = {"radius": radius, "num_codes": num_codes}
        yield (codes, rng.integers(0, shape, (games, 5, 2), np.int32), turns), static


def colour():
    rng = np.random.default_rng(8)
    for shape, num_codes in (((1,), 11), ((3, 5), 19), ((2, 5, 5), 32)):
        codes = rng.integers(0, num_codes, shape).astype(np.uint8)
        yield (codes,), {"palette": rng.integers(0, 256, (num_codes, 3)).astype(np.uint8)}


CASES = {
    kernel.__name__: kernel
    for kernel in (
        *(gather, look_up, scatter, exclusive_cumsum, values_at_sites),
        *(clear_cells, highest_beam, windows, colour),
    )
}
