"""Schelling diagrams against calculations by hand."""

import numpy as np
import pytest

from influence_jax.analysis.schelling import schelling_diagram
from influence_jax.settings import ConfigError

# A public good of three agents: each cooperator costs itself 1 and gives .8 to everybody.
COOPERATES = np.array([[c < n for c in range(3)] for n in range(4) for _ in range(3)])
RETURNS = 0.8 * COOPERATES.sum(axis=1, keepdims=True) - COOPERATES + np.tile([-0.1, 0, 0.1], 4)[:, None]


def test_a_public_good_by_hand():
    found = schelling_diagram(RETURNS, COOPERATES)
    np.testing.assert_allclose(found.cooperator.value, [-0.2, 0.6, 1.4])
    np.testing.assert_allclose(found.defector.value, [0, 0.8, 1.6], atol=1e-12)
    assert found.is_dilemma and found.others.tolist() == [0, 1, 2]
    # three episodes with a standard deviation of .1: t(.975, 2) = 4.303
    np.testing.assert_allclose(found.defector.high - found.defector.value, 4.303 * 0.1 / np.sqrt(3), atol=1e-3)
    # .7, .8, .9 against .5, .6, .7: of 20 exchanges 2 are so far apart (either .7), and 2 the other way round
    np.testing.assert_allclose(found.temptation_p, 4 / 20)
    assert found.rows()[4] == {
        "other_cooperators": 1,
        "role": "defector",
        "mean": pytest.approx(0.8),
        "low": pytest.approx(0.8 - 4.303 * 0.1 / np.sqrt(3), abs=1e-3),
        "high": pytest.approx(0.8 + 4.303 * 0.1 / np.sqrt(3), abs=1e-3),
    }


def test_it_is_a_frame():
    pytest.importorskip("pandas")
    table = schelling_diagram(RETURNS, COOPERATES).table()
    assert table.shape == (6, 5) and set(table["role"]) == {"cooperator", "defector"}


def test_without_temptation_there_is_no_dilemma():
    found = schelling_diagram(0.8 * COOPERATES.sum(axis=1, keepdims=True) + COOPERATES, COOPERATES)
    assert not found.is_dilemma


def test_what_nobody_played_is_not_known():
    found = schelling_diagram(RETURNS[:3], COOPERATES[:3])
    np.testing.assert_array_equal(np.isnan(found.cooperator.value), True)
    np.testing.assert_array_equal(np.isnan(found.defector.value), [False, True, True])
    assert not found.is_dilemma


def test_shapes_must_agree():
    with pytest.raises(ConfigError, match=r"returns has shape \[12, 3\] and cooperates has shape \[12, 2\]"):
        schelling_diagram(RETURNS, COOPERATES[:, :2])


def test_it_prints_as_a_table():
    lines = repr(schelling_diagram(RETURNS, COOPERATES)).splitlines()
    assert lines[0] == "Individual returns, means and 95 % intervals: a dilemma"
    assert len(lines) == 2 + 3 and lines[2].split()[:2] == ["0", "-0.2"]
    assert schelling_diagram(RETURNS, COOPERATES)._repr_html_().count("<tr>") == 4
