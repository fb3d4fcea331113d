"""Intervals, tests and effect sizes against calculations by hand, and intervals against their nominal coverage."""

import numpy as np
import pytest
from scipy import stats

from influence_jax.analysis import influence_and_reward
from influence_jax.analysis.statistics import (
    Estimate,
    against_null,
    hedges_g,
    holm,
    iqm,
    iqm_interval,
    nanmean,
    permutation_test,
    probability_of_improvement,
    t_interval,
    welch_interval,
    wilson_interval,
)

FIVE = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def test_student_interval_of_five_seeds():
    """t(.975, 4) = 2.776 and t(.9975, 4) = 5.598 of a table, and s = sqrt(10/4)."""
    for level, t in ((0.95, 2.776), (0.995, 5.598)):
        found, half = t_interval(FIVE, level), t * np.sqrt(2.5) / np.sqrt(5)
        assert found.value == 3 and found.confidence == level
        assert [found.low, found.high] == pytest.approx([3 - half, 3 + half], abs=1e-3)
    assert t_interval(FIVE) == t_interval(FIVE, 0.95)
    assert str(t_interval([1.0])) == "1 [nan, nan] (95 % interval): no interval from fewer than two values"


def test_what_is_not_finite_is_left_out():
    values = np.array([[1.0, np.nan, np.nan], [3.0, 7.0, np.nan], [np.inf, np.nan, np.nan]])
    estimate = t_interval(values, confidence=0.95)
    np.testing.assert_allclose(estimate.value, [2, 7, np.nan])
    np.testing.assert_allclose(estimate.high, [2 + 12.706 * np.sqrt(2) / np.sqrt(2), np.nan, np.nan], atol=1e-3)
    np.testing.assert_array_equal(nanmean(values, axis=0), [2, 7, np.nan])


def test_welch_interval_by_hand():
    """Variances 4 and 1 of three and four values: 4/3 + 1/4, and Welch and Satterthwaite's degrees of freedom."""
    x, y = [1.0, 3.0, 5.0], [0.0, 0.0, 1.5, 1.5]
    parts = np.array([4 / 3, 0.75 / 4])
    freedom = parts.sum() ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum())
    found = welch_interval(x, y)
    assert [found.value, found.low, found.high] == pytest.approx([2.25, 2.25 - half, 2.25 + half])
    theirs = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    ours = welch_interval(x, y, 0.9)
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high]) and ours.confidence == 0.9
    one = welch_interval(x, y[:1])
    assert one.value == 3 and np.isnan([one.low, one.high]).all() and "fewer than two values a group" in one.note
    still = welch_interval([1, 1], [0, 0])
    assert (still.value, still.low, still.high) == (1, 1, 1)


def test_wilson_interval_of_the_paper():
    found = wilson_interval(88, 100)
    assert found.value == 0.88 and [found.low, found.high] == pytest.approx([0.80, 0.93], abs=5e-3)


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm(np.array([100.0, 1, 2, 50, 3, 5, 9, -100])) == (2 + 3 + 5 + 9) / 4
    assert iqm(np.array([[-100.0, 1], [2, 3], [5, 9], [50, 100]])) == (2 + 3 + 5 + 9) / 4  # runs and tasks together


def test_iqm_leaves_out_what_is_not_finite():
    scores = np.array([100.0, 1, np.nan, 2, 50, 3, np.inf, 5, 9, -100])
    assert iqm(scores) == (2 + 3 + 5 + 9) / 4
    np.testing.assert_array_equal(iqm(np.stack([scores, np.full(10, np.nan)]), axis=1), [19 / 4, np.nan])
    values = np.random.default_rng(0).normal(size=(7, 13))
    np.testing.assert_allclose(iqm(values, axis=1), stats.trim_mean(values, 0.25, axis=1))


def test_iqm_interval_is_a_studentised_bootstrap():
    """Against the same computed in loops: resamples by task, standard errors from Winsorised scores, quantiles of t reversed."""
    scores = np.random.default_rng(0).normal(size=(8, 2)) + np.array([0, 0.5])
    found = iqm_interval(scores, 0.9, resamples=500, seed=3)

    def error(drawn):  # 16 scores, of which four are left out at either end
        ordered = np.sort(drawn.ravel())
        kept = np.clip(drawn, ordered[4], ordered[11])
        return np.sqrt(sum((8 / 8) ** 2 * kept[:, m].var(ddof=1) / 8 for m in range(2)))

    rng = np.random.default_rng(3)
    choices = [rng.integers(8, size=(500, 8)) for _ in range(2)]
    center, own = stats.trim_mean(scores, 0.25, axis=None), error(scores)
    ts = []
    for first, second in zip(*choices, strict=True):
        drawn = np.stack([scores[first, 0], scores[second, 1]], axis=1)
        ts.append((stats.trim_mean(drawn, 0.25, axis=None) - center) / error(drawn))
    low, high = np.quantile(ts, [0.05, 0.95], method="inverted_cdf")
    assert [found.value, found.low, found.high] == pytest.approx([center, center - high * own, center - low * own])


def test_iqm_interval_refuses_too_few_seeds():
    found = iqm_interval(np.r_[FIVE, np.nan])
    assert found.value == 3 and np.isnan([found.low, found.high]).all()
    assert found.note == "no interval of an interquartile mean from 5 seeds, 6 are needed"
    assert "no 99.9 % interval" in iqm_interval(np.arange(6.0), 0.999).note
    assert iqm_interval(np.ones(8)).high == 1
    assert np.isnan(iqm_interval([]).value)


# How often an interval holds what it estimates, of so many seeds; `docs/analysis.md` says the same.
REPEATS = 2000


def t_covers(rng, seeds, level):
    found = t_interval(rng.normal(5, 2, size=(seeds, REPEATS)), level)
    return (found.low <= 5) & (5 <= found.high)


def welch_covers(rng, seeds, level):
    """One group varies three times as much as the other."""
    pairs = [welch_interval(rng.normal(size=seeds), rng.normal(1, 3, size=seeds), level) for _ in range(REPEATS)]
    return [found.low <= -1 <= found.high for found in pairs]


def iqm_covers(rng, seeds, level):
    found = [iqm_interval(rng.normal(2, size=seeds), level, 1000, int(rng.integers(2**31))) for _ in range(REPEATS)]
    return [x.low <= 2 <= x.high for x in found]


def iqm_of_tasks_covers(rng, seeds, level):
    """Of three tasks with different means and spreads; the truth is of 300,000 scores."""
    means, spreads = np.array([0, 1, 4]), np.array([1, 2, 1])
    truth = iqm(means + spreads * np.random.default_rng(1).normal(size=(100_000, 3)))
    scores = means + spreads * rng.normal(size=(REPEATS, seeds, 3))
    found = [iqm_interval(x, level, 1000, int(rng.integers(2**31))) for x in scores]
    return [x.low <= truth <= x.high for x in found]


def wilson_covers(rng, seeds, level):
    """Averaged over all shares; for any single one it may be some points off, since counts are whole."""
    shares = rng.random(REPEATS)
    found = [wilson_interval(int(rng.binomial(seeds, share)), seeds, level) for share in shares]
    return [x.low <= share <= x.high for x, share in zip(found, shares, strict=True)]


def across_covers(rng, seeds, level):
    """Conditions whose means correlate by .5."""
    x = rng.normal(size=(REPEATS, seeds))
    y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=x.shape)
    pairs = [(a[:, None].repeat(2, 1), b[:, None].repeat(2, 1)) for a, b in zip(x, y, strict=True)]
    found = [influence_and_reward(*pair, draws=1, confidence=level).across for pair in pairs]
    return [x.low <= 0.5 <= x.high for x in found]


def within_covers(rng, seeds, level):
    """Five agents that correlate by .4 within their condition; the truth is the mean of many conditions."""

    def drawn(size):
        x = rng.normal(size=size)
        return x, 0.4 * x + np.sqrt(1 - 0.4**2) * rng.normal(size=size)

    centered = [z - z.mean(axis=1, keepdims=True) for z in drawn((200_000, 5))]
    x, y = (z / z.std(axis=1, keepdims=True) for z in centered)
    truth = (x * y).mean()
    found = [influence_and_reward(*drawn((seeds, 5)), draws=1, confidence=level).within for _ in range(REPEATS)]
    return [x.low <= truth <= x.high for x in found]


NONE_BELOW = {iqm_covers: 6, iqm_of_tasks_covers: 6, across_covers: 4, within_covers: 20}


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize("seeds", [3, 5, 10, 20])
@pytest.mark.parametrize(
    "covers",
    [t_covers, welch_covers, iqm_covers, iqm_of_tasks_covers, wilson_covers, across_covers, within_covers],
)
def test_intervals_hold_what_they_estimate_as_often_as_they_say(covers, seeds, level):
    """Within two points of the level, plus half a point for the 2,000 repeats; where that is impossible there is no interval."""
    if seeds < NONE_BELOW.get(covers, 0):
        pytest.skip("no interval")
    share = np.mean(covers(np.random.default_rng(seeds), seeds, level))
    print(f"{covers.__name__} {seeds} {level}: {share:.3f}")
    assert share == pytest.approx(level, abs=0.02)


def test_five_seeds_against_five_give_two_in_252():
    assert permutation_test(FIVE + 10, FIVE) == pytest.approx(2 / 252)
    assert permutation_test(FIVE, FIVE + 10) == pytest.approx(2 / 252)
    assert permutation_test(FIVE, FIVE) == 1
    assert np.isnan(permutation_test(FIVE, FIVE[:1]))


def test_permutations_by_hand():
    """Of the 6 ways to choose two of 0, 1, 2, 4, one gives a difference this large (3 - .5), and one its negative."""
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
    assert (measured.value, measured.null_mean, measured.null_std, measured.z) == (3.0, 1.0, 1.0, 2.0)
    assert measured.p == 1 / 4
    assert against_null(1.0, [0.0, 1.0, 2.0]).p == 3 / 4
    assert str(measured) == "3 (null 1 +- 1, p = 0.25)"


def test_what_is_not_a_number_proves_nothing():
    measured = against_null(np.nan, [0.0, 1.0, 2.0], "nobody spoke")
    assert np.isnan([measured.value, measured.z, measured.p]).all() and measured.null_mean == 1
    assert str(measured) == "nan (null 1 +- 1, p = nan): nobody spoke"
    assert against_null(3.0, [0.0, np.nan, np.nan]).p == 3 / 4  # draws that are not numbers count against the value
    assert np.isnan(permutation_test(FIVE, FIVE, statistic=lambda x, axis: np.full(x.shape[:-1], np.nan)))
    assert permutation_test(np.r_[FIVE + 10, np.nan], FIVE) == pytest.approx(2 / 252)


def test_an_estimate_reads_well():
    assert str(Estimate(1.0, 0.25, 1.75)) == "1 [0.25, 1.75] (95 % interval)"
    assert str(Estimate(1.0, 0.25, 1.75, 0.995)) == "1 [0.25, 1.75] (99.5 % interval)"


def test_holm_by_hand():
    """Sorted .01, .02, .03, .04 times 4, 3, 2, 1, never below the previous one; NaN does not count."""
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.04, np.nan, 0.01]), [0.04, np.nan, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])
