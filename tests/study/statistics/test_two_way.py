"""One number per reader, averaged: against scipy, the analysis of variance, and Obuchowski-Rockette."""

import numpy as np
import pytest
from scipy import stats

from study.statistics.readers import obuchowski_rockette
from study.statistics.two_way import PerReader, means, over_readers
from study.statistics.unequal import of_jackknife


def crossed(d: np.ndarray) -> PerReader:
    """``d`` (readers, patches), every patch its own unit."""
    reader, patch = np.indices(d.shape)
    return means(d.ravel(), reader.ravel(), patch.ravel())


def draw(readers=5, patches=20, by_reader=0.3, by_patch=0.3, seed=0):
    rng = np.random.default_rng(seed)
    d = by_reader * rng.standard_normal((readers, 1)) + by_patch * rng.standard_normal(patches)
    return d + rng.standard_normal((readers, patches)) + 0.2


def test_one_reader_is_the_paired_t_test_over_patches():
    d = draw(readers=1)
    found, expected = over_readers(crossed(d)), stats.ttest_1samp(d[0], 0)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.ci95 == pytest.approx(tuple(expected.confidence_interval()), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_two_parts_are_the_mean_squares_of_the_two_way_analysis_of_variance(seed):
    d = draw(seed=seed)
    r, n = d.shape
    rows, columns, grand = d.mean(axis=1), d.mean(axis=0), d.mean()
    ms_reader = n * rows.var(ddof=1)
    ms_patch = r * columns.var(ddof=1)
    ms_error = ((d - rows[:, None] - columns + grand) ** 2).sum() / ((r - 1) * (n - 1))
    a, b = ms_reader / (r * n), max(ms_patch - ms_error, 0) / (r * n)
    t = stats.t.ppf(0.975, [r - 1, n - 1])
    half = max(np.sqrt(t[0] ** 2 * a + t[1] ** 2 * b), t[1] * np.sqrt(ms_patch / (r * n)))
    assert over_readers(crossed(d)).ci95 == pytest.approx((grand - half, grand + half), rel=1e-9)


def test_the_standard_error_is_obuchowski_and_rockettes():
    """The same components as the primary analysis has, on the readers' differences."""
    d = draw(by_reader=1.0, by_patch=1.0)
    expected = obuchowski_rockette(np.stack([np.zeros_like(d), d])).random_both
    assert over_readers(crossed(d)).se == pytest.approx(expected.se, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_p_is_the_level_at_which_the_interval_reaches_the_null(seed):
    d = draw(seed=seed)
    low, _high = over_readers(crossed(d)).ci95
    assert over_readers(crossed(d), null=low).p == pytest.approx(0.05, rel=1e-6)
    assert over_readers(crossed(d), null=float(d.mean())).p == 1


@pytest.mark.parametrize("readers", [1, 2, 5])
def test_an_overwhelming_result_has_a_tiny_p(readers):
    d = 50 + 0.1 * draw(readers=readers, patches=200)
    assert 0 < over_readers(crossed(d)).p < 0.02
    assert over_readers(crossed(d[:1])).p == pytest.approx(stats.ttest_1samp(d[0], 0).pvalue, abs=1e-99)


def test_readers_who_are_alike_do_not_narrow_the_interval_below_their_own():
    d = np.tile(draw(readers=1), (4, 1))
    expected = stats.ttest_1samp(d[0], 0)
    assert over_readers(crossed(d)).p >= expected.pvalue * (1 - 1e-9)


def test_a_slides_patches_count_as_one():
    """Ten patches of each of four slides that say the same: as one patch of each."""
    d = draw(readers=3, patches=4)
    reader, patch = np.indices((3, 40))
    many = over_readers(means(np.repeat(d, 10, axis=1).ravel(), reader.ravel(), patch.ravel() // 10))
    assert many.units == 4
    assert many.ci95 == pytest.approx(over_readers(crossed(d)).ci95, rel=1e-9)


def test_slides_of_unequal_size_leave_fewer_degrees_of_freedom():
    assert of_jackknife(np.full(8, 5)) == 7
    assert 1 <= of_jackknife(np.array([30, 2, 2, 2, 2, 2])) < 3


def test_what_cannot_be_known_is_said():
    one = over_readers(crossed(draw(patches=1)))
    assert (one.p, one.ci95) == (None, None)
    assert "one patch or slide only" in one.reason
    alike = over_readers(crossed(np.full((3, 6), 0.5)))
    assert (alike.mean, alike.p, alike.ci95) == (0.5, None, None)
    assert "all alike" in alike.reason


@pytest.mark.parametrize("readers", [2, 3, 5])
def test_false_claims_keep_their_rate(readers):
    """20 patches, readers and patches differing by half of an answer's spread; 600 studies, three standard errors."""
    false = [
        over_readers(crossed(draw(readers, 20, 0.5, 0.5, seed) - 0.2)).p < 0.05 for seed in range(600)
    ]  # fmt: skip
    assert np.mean(false) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
