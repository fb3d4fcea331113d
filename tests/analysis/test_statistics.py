"""Intervals, tests and effect sizes against calculations by hand."""

import numpy as np
import pytest

from influence_jax.analysis import statistics
from influence_jax.analysis.statistics import (
    against_null,
    bootstrap_difference,
    hedges_g,
    iqm,
    nanmean,
    permutation_test,
    pooled_interval,
    probability_of_improvement,
    stratified_bootstrap,
    t_interval,
    wilson_interval,
)

FIVE = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def test_student_interval_of_five_seeds():
    """t(.9975, 4) = 5.598 of a table, and s = sqrt(10/4)."""
    mean, low, high = t_interval(FIVE)
    half = 5.598 * np.sqrt(2.5) / np.sqrt(5)
    assert mean == 3 and low == pytest.approx(3 - half, abs=1e-3) and high == pytest.approx(3 + half, abs=1e-3)


def test_what_is_not_finite_is_left_out():
    values = np.array([[1.0, np.nan, np.nan], [3.0, 7.0, np.nan], [np.inf, np.nan, np.nan]])
    estimate = t_interval(values, confidence=0.95)
    np.testing.assert_allclose(estimate.value, [2, 7, np.nan])
    np.testing.assert_allclose(estimate.high, [2 + 12.706 * np.sqrt(2) / np.sqrt(2), np.nan, np.nan], atol=1e-3)
    np.testing.assert_array_equal(nanmean(values, axis=0), [2, 7, np.nan])


def test_pooled_interval_takes_points_for_seeds():
    curves = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]])
    estimate = pooled_interval(curves, window=2, confidence=0.95)
    np.testing.assert_allclose(estimate.value, [1, 1.5, 2.5])
    # four points 1, 3, 2, 4: deviation sqrt(5/3), t(.975, 3) = 3.182
    assert estimate.high[2] - 2.5 == pytest.approx(3.182 * np.sqrt(5 / 3) / 2, abs=1e-3)


def test_wilson_interval_of_the_paper():
    share, low, high = wilson_interval(88, 100)
    assert share == 0.88 and low == pytest.approx(0.80, abs=5e-3) and high == pytest.approx(0.93, abs=5e-3)


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm(np.array([100.0, 1, 2, 50, 3, 5, 9, -100])) == (2 + 3 + 5 + 9) / 4
    assert iqm(np.array([[-100.0, 1], [2, 3], [5, 9], [50, 100]])) == (2 + 3 + 5 + 9) / 4  # runs and tasks together


def test_stratified_bootstrap_resamples_each_task_on_its_own():
    """Two tasks of two seeds: the mean of a resample is one of 0, 1/4, ... only if tasks are drawn apart."""
    seen = set()

    def record(scores):
        assert set(scores[:, 0]) <= {0.0, 1.0} and set(scores[:, 1]) <= {10.0, 20.0}
        seen.add((scores[:, 0].sum(), scores[:, 1].sum()))
        return scores.mean()

    stratified_bootstrap(np.array([[0.0, 10.0], [1.0, 20.0]]), record, resamples=500)
    assert len(seen) == 9


def test_stratified_bootstrap_covers_as_it_says():
    """The bootstrap of a mean is nearly normal with the deviation s sqrt((n-1)/n) / sqrt(n)."""
    scores = np.random.default_rng(0).normal(size=100)
    value, low, high = stratified_bootstrap(scores, np.mean, confidence=0.95, resamples=4000)
    half = 1.96 * scores.std() / 10
    assert value == pytest.approx(scores.mean())
    assert [low, high] == pytest.approx([value - half, value + half], abs=0.02)


def test_bootstrap_of_a_difference():
    x, y = np.array([10.0, 12.0]), np.array([1.0, 1.0, 1.0])
    assert bootstrap_difference(x, y) == (10.0, 9.0, 11.0)  # 1/4 of the resamples are 10, 10, and 1/4 are 12, 12
    value, low, high = bootstrap_difference(x, y[:1])
    assert value == 10 and np.isnan(low) and np.isnan(high)


def test_five_seeds_against_five_give_two_in_252():
    assert permutation_test(FIVE + 10, FIVE) == pytest.approx(2 / 252)
    assert permutation_test(FIVE, FIVE + 10) == pytest.approx(2 / 252)
    assert permutation_test(FIVE, FIVE) == 1
    assert np.isnan(permutation_test(FIVE, FIVE[:1]))


def test_permutations_by_hand():
    """Of the 6 ways to choose two of 0, 1, 2, 4, one gives a difference so large (3 - .5), and one its negative."""
    assert permutation_test([2, 4], [0, 1]) == pytest.approx(2 / 6)
    assert permutation_test([1, 4], [0, 2]) == pytest.approx(4 / 6)


def test_hedges_by_hand():
    """Means differ by 2, both variances are 2.5, and the correction is 1 - 3/(4*8 - 1)."""
    assert hedges_g(FIVE + 2, FIVE) == pytest.approx((1 - 3 / 31) * 2 / np.sqrt(2.5))
    assert np.isnan(hedges_g([1, 1], [1, 1]))


def test_probability_of_improvement_counts_ties_half():
    assert probability_of_improvement([1, 3], [1, 2]) == (0.5 + 0 + 1 + 1) / 4


def test_against_a_null():
    measured = against_null(3.0, [0.0, 1.0, 2.0])
    assert measured[:4] == (3.0, 1.0, 1.0, 2.0) and measured.p == 1 / 4
    assert against_null(1.0, [0.0, 1.0, 2.0]).p == 3 / 4
    assert str(measured) == "3 (null 1 +- 1, p = 0.25)"


def test_an_estimate_reads_well():
    assert str(statistics.Estimate(1.0, 0.25, 1.75)) == "1 [0.25, 1.75]"
