"""The bound on what forced choices can tell of a threshold, against simulated answers."""

import numpy as np
import pytest

from benchmarks.lib import observer

SLOPE = 3.5


def test_no_estimate_beats_the_bound_and_many_answers_at_the_best_level_reach_it():
    """The maximum-likelihood estimate from 500 answers at the best level, slope and lapse rate known."""
    level, told = observer.best(SLOPE, 0.05)
    rng = np.random.default_rng(0)
    shown = 0.5 + 0.45 / (1 + np.exp(-SLOPE * level))
    seen = (np.clip(rng.binomial(500, shown, 4000) / 500, 0.51, 0.94) - 0.5) / 0.45
    found = level - np.log(seen / (1 - seen)) / SLOPE
    assert found.std() == pytest.approx((500 * told) ** -0.5, rel=0.06)


def test_a_look_at_a_patch_of_unknown_difficulty_tells_less():
    alike, apart = (observer.best(SLOPE, 0.0, spread)[1] for spread in (1e-6, 0.5))
    assert alike == pytest.approx(observer.best(SLOPE)[1], rel=1e-4)
    assert apart < 0.5 * alike
    assert observer.best(SLOPE, 0.05)[1] < observer.best(SLOPE)[1]


def test_so_many_answers_are_needed():
    _, told = observer.best(SLOPE)
    needed = observer.needed(0.15, 0.95, told)
    assert observer.within(0.15, (needed * told) ** -0.5) >= 0.95
    assert observer.within(0.15, ((needed - 1) * told) ** -0.5) < 0.95
    assert observer.within(0.15, (60 * told) ** -0.5) == pytest.approx(0.745, abs=0.002)
