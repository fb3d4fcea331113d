"""Returns in one another's company, by hand."""

import dataclasses

import numpy as np
import pytest

from influence_jax.analysis.cross_play import CrossPlay

# Two seeds, three episodes: the means over episodes of seeds are 1 and 3 apart from what the pair adds.
ADDED = np.array([[0, 10], [20, 30]])[:, :, None, None]
RETURNS = ADDED + np.array([[0, 1, 2], [2, 3, 4]])
FOUND = CrossPlay(("a", "b"), RETURNS, -RETURNS)


def test_the_unit_is_a_seed():
    np.testing.assert_allclose(FOUND.means.value, [[2, 12], [22, 32]])
    half = 12.706 * np.sqrt(2) / np.sqrt(2)  # t(.975, 1) times the standard deviation of 1 and 3, over the root of 2
    np.testing.assert_allclose(FOUND.means.high - FOUND.means.value, half, atol=1e-3)
    assert FOUND.unit == "seeds"


def test_of_one_seed_it_is_an_episode():
    alone = dataclasses.replace(FOUND, returns=RETURNS[:, :, :1], company=-RETURNS[:, :, :1])
    np.testing.assert_allclose(alone.means.value, [[1, 11], [21, 31]])
    np.testing.assert_allclose(alone.means.value - alone.means.low, 4.303 / np.sqrt(3), atol=1e-3)
    assert repr(alone).startswith("Returns of one agent among others, 3 episodes; 95 % intervals over episodes\nagent")


def test_it_is_a_tidy_table():
    first, second, third, _ = FOUND.rows()
    assert (second["agent"], second["among"], second["return"], second["return_of_others"]) == ("a", "b", 12, -12)
    assert (third["agent"], third["among"]) == ("b", "a") and first["low"] == pytest.approx(2 - 12.706, abs=1e-3)
    assert "2 seeds, 3 episodes each; 95 % intervals over seeds" in repr(FOUND)
    assert FOUND._repr_html_().count("<tr>") == 5
    assert pytest.importorskip("pandas") and FOUND.table().shape == (4, 6)
