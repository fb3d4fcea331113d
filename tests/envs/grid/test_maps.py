"""Maps drawn as text."""

import jax
import pytest

from influence_jax.envs import make
from influence_jax.envs.grid import maps
from tests.envs.helpers import assert_refused


def test_standard_maps_start_as_drawn():
    river, orchard = make("cleanup"), make("harvest")
    state = jax.jit(river.initial_state)(jax.random.key(4), river.default_params)
    assert not state.apples.any() and state.waste.sum() == 56 and river.river.sum() == 119
    assert river.apple_sites.sum() == 103 and len(river.start_cells) == 10
    state = jax.jit(orchard.initial_state)(jax.random.key(4), orchard.default_params)
    assert state.apples.sum() == 155 and len(orchard.start_cells) == 20


def test_letters_become_cells():
    drawing = maps.parse(("@PA", " AP"), "@PA ")
    assert drawing.tolist() == [["@", "P", "A"], [" ", "A", "P"]]
    assert maps.mask(drawing, "AP").tolist() == [[False, True, True], [False, True, True]]
    assert maps.columns(maps.mask(drawing, "P")) == slice(1, 3)
    assert maps.columns(maps.mask(drawing, " ")) == slice(0, 1) == maps.columns(maps.mask(drawing, "H"))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("harvest", {"layout": ()}, ["layout is empty"]),
        ("harvest", {"layout": ""}, ["layout is empty"]),
        ("harvest", {"layout": ("@@@", "@P@@", "@@@")}, ["layout is ragged", "row 1 has 4", "row 0 has 3"]),
        ("harvest", {"layout": ("@@@", "@PH", "@@@")}, ["'H' at row 1, column 2", "'A' (apple)"]),
        ("cleanup", {"layout": ("@P", "A@")}, ["'A' at row 1, column 0", "'H' (waste)", "'B' (apple site)"]),
    ],
)
def test_wrong_settings(name, options, words):
    assert_refused(name, options, words)
