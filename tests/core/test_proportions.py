"""Wilson's interval: the same for counts and for fractions of counts."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.proportions import wilson


def by_hand(successes: float, n: float, level: float) -> tuple[float, float]:
    """The roots of (share - p)^2 = z^2 p (1 - p) / n, solved as a quadratic."""
    z2, share = stats.norm.ppf((1 + level) / 2) ** 2, successes / n
    a, b, c = 1 + z2 / n, -2 * share - z2 / n, share * share
    root = sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def test_it_agrees_with_the_textbook():
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(319, 376) == pytest.approx((0.8087, 0.8811), abs=1e-4)


def test_none_and_all_end_at_the_edge():
    assert wilson(0, 10)[0] == 0 and wilson(10, 10)[1] == 1
    assert wilson(0, 9.5)[0] == 0 and wilson(9.5, 9.5)[1] == 1


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.9, 0.95, 0.99]))
def test_counts_agree_with_the_quadratic(k, rest, level):
    n = k + rest
    if n:
        assert wilson(k, n, level) == pytest.approx(by_hand(k, n, level), abs=1e-10)


@given(st.floats(0, 1), st.floats(0.5, 400), st.sampled_from([0.9, 0.95, 0.99]))
def test_fractions_of_counts_agree_with_the_quadratic(share, n, level):
    assert wilson(share * n, n, level) == pytest.approx(by_hand(share * n, n, level), abs=1e-7)


@given(st.integers(1, 60), st.integers(1, 60))
def test_a_share_times_n_is_its_count(k, rest):
    n = k + rest
    assert wilson(k / n * n, n) == wilson(k, n)
