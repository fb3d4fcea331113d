"""Smoothing, summary scores, and selection of seeds and settings, against calculations by hand."""

import numpy as np
import pytest

from influence_jax.analysis.curves import (
    learning_curve,
    paper_window,
    scores,
    seeds_in_which_all_eat,
    smoothed,
    summary,
    top_settings,
)
from influence_jax.settings import ConfigError
from tests.analysis.rows import recorded


def test_windows_look_back():
    values = np.array([[1.0], [np.nan], [3.0], [5.0]])
    np.testing.assert_allclose(smoothed(values, 2)[:, 0], [1, 1, 3, 4])
    np.testing.assert_array_equal(smoothed(values, 1), values)
    np.testing.assert_array_equal(smoothed(np.full((2, 1), np.nan), 2), np.full((2, 1), np.nan))


def test_the_papers_window_shrinks_with_the_run():
    assert [paper_window(points) for points in (5000, 1000, 500, 20, 1)] == [200, 200, 100, 4, 1]
    assert paper_window(300, 50) == 15
    values = np.arange(10.0)[:, None]
    np.testing.assert_array_equal(smoothed(values), smoothed(values, 2))


def test_a_curve_is_the_mean_of_seeds():
    curve = learning_curve(np.array([10, 20]), np.array([[1.0, 3.0], [np.nan, 5.0]]), confidence=0.95)
    np.testing.assert_allclose(curve.value, [2, 5])
    np.testing.assert_allclose(curve.high, [2 + 12.706, np.nan], atol=1e-3)
    assert curve.members.shape == (2, 2)


def test_a_curve_prints_its_end():
    curve = learning_curve([10, 20], [[1.0, 3.0], [3.0, 5.0]])
    assert repr(curve).startswith("Curve of 2 members at 2 log points to 20 steps, last 4 [-8.7")


def test_what_a_curve_comes_to():
    steps = np.arange(1, 101) * 10
    values = np.stack([np.arange(100.0), np.r_[np.zeros(50), np.full(20, 8.0), np.zeros(30)]], axis=1)
    ends = summary(steps, values)
    np.testing.assert_allclose(ends["final"], [97, 0])  # points 95 to 99
    np.testing.assert_allclose(ends["final_steps"], [97, 0])
    np.testing.assert_allclose(ends["auc"], [49.5, 1.6])
    np.testing.assert_allclose(ends["best"], [np.arange(80.0, 100).mean(), 8])  # windows of 20: it fell since
    long = summary(np.arange(1, 2001), np.arange(2000.0)[:, None])
    assert long["final"] == np.arange(1950.0, 2000).mean() and long["final_steps"] == np.arange(1900.0, 2000).mean()


def test_seeds_with_an_idle_agent_are_dropped():
    late = np.array(
        [
            [50.0, 50, 50],  # kept
            [100, 100, 4.9],  # fewer than 5 apples
            [200, 200, 9],  # less than 5 % of the mean of the others, 200
            [200, 200, 11],  # kept
            [np.nan, 50, 50],  # nothing is known of one agent
        ]
    )
    apples = np.concatenate([np.zeros((18, *late.shape)), [late, late]])
    assert seeds_in_which_all_eat(apples).tolist() == [True, False, False, True, False]


def test_the_best_settings_are_the_best():
    tried = np.array([[1.0, 1, 1], [9, 9, 9], [5, 5, 5], [2, 2, 2]])
    top = top_settings(tried, k=2)
    assert top.chosen.tolist() == [1, 2] and top.score == 7 == top.held_out
    assert top.p < 0.05


def test_choosing_the_best_of_many_finds_luck_and_the_null_says_so():
    """All settings are equal: the best 5 of 50 look good, but only on the seeds that selected them."""
    searches = [top_settings(np.random.default_rng(s).normal(size=(50, 5)), k=5, draws=200) for s in range(10)]
    # the mean of the upper tenth of normal means of 5 seeds is 1.755 / sqrt(5)
    assert np.mean([top.score for top in searches]) == pytest.approx(1.755 / np.sqrt(5), abs=0.1)
    assert np.mean([top.held_out for top in searches]) == pytest.approx(0, abs=0.15)
    assert np.mean([top.null_mean for top in searches]) == pytest.approx(1.755 / np.sqrt(5), abs=0.1)
    assert sum(top.p < 0.1 for top in searches) <= 3


def test_a_setting_without_a_score_for_every_seed_is_not_among_the_best():
    """Whatever its other seeds score; the result is as if the setting did not exist."""
    tried = np.array([[9.0, 9, np.nan], [1, 1, 1], [5, 5, 5], [2, 2, 2]])
    top, without = top_settings(tried, k=1), top_settings(tried[1:], k=1)
    assert top.chosen.tolist() == [2] and without.chosen.tolist() == [1]
    assert (top.score, top.held_out, top.p) == (without.score, without.held_out, without.p) == (5, 5, without.p)
    assert top.notes == ("1 settings are left out, which lack a seed's score",)
    with pytest.raises(ConfigError, match="k is 4; allowed: whole numbers from 1 to 3"):
        top_settings(tried, k=4)
    with pytest.raises(ConfigError, match="scores has no setting with a score for every seed"):
        top_settings(tried[:1], k=1)
    assert np.isnan(top_settings(tried[1:, :1], k=1).held_out)


def test_a_member_that_failed_has_no_score():
    metrics = recorded(members=3)
    metrics["failed"] = np.zeros((40, 3))
    metrics["failed"][-1, 1] = 1  # within the last log point: its numbers are finite, and high
    metrics["collective_return"][-1, 1] = 1e6
    for summarise in ("final", "final_steps", "auc", "best"):
        found = scores(metrics, "collective_return", summarise)
        assert np.isnan(found).tolist() == [False, True, False]
        ends = summary(metrics["env_steps"][:, 0], metrics["collective_return"])[summarise]
        np.testing.assert_array_equal(found[[0, 2]], ends[[0, 2]])
    del metrics["failed"]
    assert np.isfinite(scores(metrics, "collective_return")).all()
