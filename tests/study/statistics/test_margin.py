"""Claims against a margin: against exact binomial bounds, Owen's own example, and scipy's optimiser."""

import numpy as np
import pytest
from scipy import optimize, stats

from study.statistics.margin import Margin, Units, signed_root
from study.statistics.unequal import of_cr2


def units(values, size=None):
    values = np.asarray(values, float)
    return Units(values, np.ones(len(values)) if size is None else np.asarray(size, float))


@pytest.mark.parametrize("n", [20, 28, 36, 40, 60, 80, 120, 200])
def test_without_any_change_the_bound_is_nearly_the_exact_binomial_one(n):
    """Clopper-Pearson for 0 of n lost is 1 - 0.025^(1/n); the bound is wrong in (1 - bound)^n."""
    low, high = Margin(units(np.zeros(n))).interval(0.95)
    assert -low == pytest.approx(high)
    assert -low == pytest.approx(1 - 0.025 ** (1 / n), rel=0.06)
    assert (1 - high) ** n < 0.031


@pytest.mark.parametrize(("n", "lost"), [(40, 1), (40, 4), (80, 3), (120, 6)])
def test_with_lost_patches_the_bound_is_near_the_exact_binomial_one(n, lost):
    low, _ = Margin(units([-1.0] * lost + [0.0] * (n - lost))).interval(0.95)
    assert -low == pytest.approx(stats.beta.ppf(0.975, lost + 1, n - lost), rel=0.06)


def test_the_ratio_is_the_largest_likelihood_under_the_mean():
    """Owen 2001, equation 2.1: maximise prod n w_i over weights with sum 1 and mean zero."""
    z = np.array([-0.9, -0.1, 0.1, 0.15, 0.3, 0.6, 0.7])
    n = len(z)
    constraints = [{"type": "eq", "fun": lambda w: w.sum() - 1}, {"type": "eq", "fun": lambda w: w @ z}]
    found = optimize.minimize(
        lambda w: -np.log(n * w).sum(), np.full(n, 1 / n), bounds=[(1e-9, 1)] * n, constraints=constraints, tol=1e-14
    )
    assert signed_root(z) == pytest.approx(np.sqrt(2 * found.fun), abs=1e-5)
    assert signed_root(-z) == pytest.approx(-signed_root(z))


def test_of_many_patches_it_is_the_t_interval():
    d = np.random.default_rng(0).normal(0.02, 0.2, 4000)
    low, high = Margin(units(d)).interval(0.95)
    expected = stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx(tuple(expected), abs=3e-4)


def test_what_readers_add_makes_it_wider():
    d = units(np.random.default_rng(1).normal(-0.02, 0.2, 60))
    alone, with_readers = Margin(d).interval(0.95), Margin(d, 0.001, 4).interval(0.95)
    assert with_readers[0] < alone[0]
    assert with_readers[1] > alone[1]


def test_slides_of_unequal_size_have_the_degrees_of_freedom_of_bell_and_mccaffrey():
    """Against the definition: tr(B)^2 / tr(B^2) with B the CR2 quadratic form under independent patches."""
    size = np.array([8.0, 1, 1, 4, 2, 2, 6])
    w = size / size.sum()
    c = w / np.sqrt(1 - w)
    covariance = np.diag(1 / w) - 1
    form = c[:, None] * covariance * c[None]
    assert of_cr2(size) == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))
    assert of_cr2(np.full(9, 4)) == pytest.approx(8)


def test_many_studies_at_once_are_each_study_alone():
    rng = np.random.default_rng(2)
    total, size = rng.normal(0, 1, (5, 12)), rng.integers(1, 6, (5, 12)).astype(float)
    total = np.clip(total, -size, size)
    low, high = Margin(Units(total, size), np.full(5, 0.002), 3).limits(0.95)
    for number in range(5):
        one = Margin(Units(total[number], size[number]), 0.002, 3).interval(0.95)
        assert one == pytest.approx((low[number], high[number]), abs=1e-9)


def test_the_p_values_belong_to_the_interval():
    rule = Margin(units([-1.0] * 3 + [0.0] * 57))
    low, high = rule.interval(0.95)
    assert rule.p_above(low) == pytest.approx(0.025, abs=1e-6)
    assert rule.p_below(high) == pytest.approx(0.025, abs=1e-6)
