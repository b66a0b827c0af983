"""Differences of two classifiers on the same images: as wide as pairs and groups make them."""

import numpy as np
import pytest

from attacks.engine.pairing import bootstrapped, design_effect, shares
from core.proportions import tango


def test_shares_of_the_same_images_differ_with_tangos_interval():
    first = np.array([True] * 60 + [False] * 40)
    second = np.array([True] * 50 + [False] * 10 + [True] * 25 + [False] * 15)
    found = shares(first, second)
    assert (found["first"], found["second"], found["n"]) == (0.6, 0.75, 100)
    assert found["difference"] == pytest.approx(0.15)
    assert (found["low"], found["high"]) == tango(10, 25, 100)


def test_an_image_that_is_there_four_times_counts_once():
    draw = np.random.default_rng(0)
    first, second = draw.random(50) < 0.8, draw.random(50) < 0.5
    once, often = shares(first, second), shares(first.repeat(4), second.repeat(4), np.arange(50).repeat(4))
    assert often["high"] - often["low"] == pytest.approx(once["high"] - once["low"], rel=0.03)
    ungrouped = shares(first.repeat(4), second.repeat(4))
    assert ungrouped["high"] - ungrouped["low"] < 0.6 * (once["high"] - once["low"])


@pytest.mark.parametrize(("grouped", "least", "most"), [(True, 0.89, 1.0), (False, 0.0, 0.86)])
def test_intervals_of_patches_of_few_slides_hold_what_they_promise(grouped, least, most):
    draw = np.random.default_rng(1)
    names, covered = np.arange(25).repeat(8), 0
    for _ in range(300):
        easy = draw.beta(0.6, 0.4, 25).repeat(8)  # on some slides nearly all are right, on others hardly any
        first, second = draw.random(200) < 0.6, draw.random(200) < easy
        found = shares(first, second, names if grouped else None)
        covered += found["low"] <= 0.0 <= found["high"]
    assert least <= covered / 300 <= most


def test_other_numbers_are_drawn_again_by_group():
    draw = np.random.default_rng(2)
    names = np.arange(12).repeat(10)
    one = draw.normal(size=12).repeat(10)
    two = one + 1 + draw.normal(size=12).repeat(10)

    def means(rows):
        return one[rows].mean(), two[rows].mean()

    by_group, by_image = bootstrapped(means, 120, names), bootstrapped(means, 120)
    assert by_group["difference"] == pytest.approx((two - one).mean())
    assert by_group["low"] < by_group["difference"] < by_group["high"]
    assert by_group["high"] - by_group["low"] > 2 * (by_image["high"] - by_image["low"])


def test_a_number_that_is_not_defined_has_no_interval():
    found = bootstrapped(lambda rows: (1.0, float("inf")), 20)
    assert found["second"] is None and found["difference"] is None and found["low"] is None


def test_without_differences_or_groups_nothing_is_deflated():
    assert design_effect(np.zeros(10), np.arange(10)) == 1.0
    assert design_effect(np.arange(10), None) == 1.0
