"""One reader, one set: against published examples and R."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from core.proportions import clopper_pearson, tango, wilson
from study.statistics.paired import Paired, mcnemar_exact, mcnemar_midp, newcombe

counts = st.integers(0, 30)


def test_the_airway_example_of_fagerland_lydersen_and_laake():
    """Bentur et al. 2009 in Statistical Analysis of Contingency Tables, ch. 8: n11=1, n12=1, n21=7, n22=12."""
    pairs = Paired(a=1, b=7, c=1, d=12)
    assert mcnemar_exact(7, 1) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_midp(7, 1) == pytest.approx(0.0391, abs=5e-5)
    assert tango(7, 1, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert newcombe(pairs) == pytest.approx((-0.507, -0.026), abs=5e-4)
    assert pairs.delta == pytest.approx(-6 / 21)


@pytest.mark.parametrize(
    ("b", "c", "n", "level", "expected"),
    [
        (7, 1, 21, 0.95, (-0.5172322764213773, -0.0260030324808686)),
        (16, 6, 161, 0.95, (-0.12402343246406815, -0.00543339573167711)),
        (20, 40, 160, 0.95, (0.0308645331330868, 0.2180642441668248)),
        (0, 0, 20, 0.90, (-0.119157837360964, 0.119157837360964)),
        (2, 3, 40, 0.95, (-0.105350467380219, 0.159703307984267)),
        (1.25, 2.5, 31.4, 0.90, (-0.0779222217633175, 0.1650319356028560)),
    ],
)
def test_tango_agrees_with_r(b, c, n, level, expected):
    """R 4.2.2: the score statistic of contingencytables 3.0 (ML_estimate, test_statistic), uniroot to 1e-14."""
    assert tango(b, c, n, level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((1, 7, 1, 12), (-0.5069202266861409, -0.0255591241648599)),
        ((59, 16, 6, 80), (-0.11862119563870994, -0.00462511393305007)),
        ((15, 2, 3, 0), (-0.185463573563137, 0.281797550215051)),
        ((18, 0, 0, 2), (-0.157071641296163, 0.157071641296163)),
    ],
)
def test_newcombe_agrees_with_r(cells, expected):
    """R 4.2.2: Newcombe_square_and_add_CI_paired_2x2 of contingencytables with prop.test's Wilson limits."""
    assert newcombe(Paired(*cells)) == pytest.approx(expected, abs=1e-9)


@given(counts, counts)
def test_exact_mcnemar_agrees_with_statsmodels_and_scipy(b, c):
    assert mcnemar_exact(b, c) == pytest.approx(mcnemar([[0, b], [c, 0]], exact=True).pvalue, abs=1e-9)
    if b + c:
        exact = stats.binomtest(b, b + c).pvalue
        assert mcnemar_exact(b, c) == pytest.approx(exact, abs=1e-9)
        seen = stats.binom.pmf(b, b + c, 0.5)
        assert mcnemar_midp(b, c) == pytest.approx(1 - seen / 2 if b == c else exact - seen, abs=1e-9)


def test_midp_agrees_with_r():
    """R 4.2.2: binom.test(x, n)$p.value - dbinom(x, n, 0.5); for b = c, 1 - dbinom / 2 as in contingencytables."""
    assert mcnemar_midp(6, 16) == pytest.approx(0.0346896648406983, abs=1e-9)
    assert mcnemar_midp(3, 0) == pytest.approx(0.125)
    assert mcnemar_midp(4, 4) == pytest.approx(0.86328125)


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.9, 0.95, 0.99]))
def test_binomial_intervals_agree_with_statsmodels(k, extra, level):
    n = k + extra
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "beta")):
        expected = proportion_confint(k, n, 1 - level, method)
        assert ours(k, n, level) == pytest.approx([float(np.nan_to_num(x)) for x in expected], abs=1e-9)


@given(counts, counts, counts, counts)
def test_intervals_hold_the_estimate_have_width_and_turn_with_the_arms(a, b, c, d):
    pairs = Paired(a, b, c, d)
    if pairs.n == 0:
        return
    for interval, turned in (
        (tango(b, c, pairs.n), tango(c, b, pairs.n)),
        (newcombe(pairs), newcombe(Paired(a, c, b, d))),
    ):
        low, high = interval
        assert -1 <= low <= pairs.delta <= high <= 1
        assert high - low > 0.01
        assert (-turned[1], -turned[0]) == pytest.approx(interval, abs=1e-9)


def test_tango_at_its_limits_meets_the_score_statistic():
    """The definition itself: at a limit the squared score equals z^2."""
    b, c, n = 5.0, 2.0, 30.0
    z = stats.norm.ppf(0.975)
    for x in tango(b, c, n):
        second, third = -b - c + (2 * n - c + b) * x, -b * x * (1 - x)
        q = (np.sqrt(second**2 - 8 * n * third) - second) / (4 * n)
        assert (c - b - n * x) ** 2 / (n * (2 * q + x * (1 - x))) == pytest.approx(z * z, rel=1e-8)


def test_counting_pairs():
    assert Paired.count(np.array([1, 1, 0, 0, 1]), np.array([1, 0, 1, 0, 1])) == Paired(2, 1, 1, 1)
