"""Wilson's interval: the same for counts and for fractions of counts."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.proportions import share_over_units, wilson


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


def test_a_share_over_units_is_wilsons_where_each_has_one_answer_and_wider_where_answers_of_a_unit_are_alike():
    right = np.array([1] * 15 + [0] * 5)
    share, alone = share_over_units(right, np.arange(20))
    assert share == 0.75 and alone == wilson(15, 20)
    slides = np.repeat(np.arange(4), 5)
    low, high = share_over_units(right, slides)[1]
    assert low < alone[0] and high > alone[1]
    low, high = share_over_units(np.ones(20), slides)[1]
    assert high == 1 and 0 < low <= wilson(4, 4)[0], "all right: no more answers than slides"
