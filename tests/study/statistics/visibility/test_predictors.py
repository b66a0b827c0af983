"""What predicts seeing: the measure that answers were made from comes first."""

import numpy as np

from benchmarks.lib.validity_visibility import planted
from study.statistics.visibility.predictors import ranked

MEASURES = ("other0", "seen", "other1", "rank")


def test_the_planted_measure_is_first_and_the_others_lie_behind():
    found = ranked(planted(np.random.default_rng(3), 4, 40, None, noise=0.9), MEASURES)
    assert found[0].measure == "seen" and found[0].behind == 0 and found[0].behind_ci95 is None
    assert found[0].bits > 0.1
    assert all(row.behind > 0 and row.behind_ci95[0] > 0 for row in found[1:])


def test_two_names_of_one_measure_are_no_better_than_each_other():
    table = planted(np.random.default_rng(4), 3, 20, None)
    found = ranked(table.assign(twice=2 * table["seen"]), ("seen", "twice"))
    assert abs(found[1].behind) < 1e-3


def test_patches_are_what_was_drawn():
    """The same answers said to come from few slides leave a wider interval."""
    table = planted(np.random.default_rng(5), 3, 40, None, noise=0.15)
    slides = table.assign(group="s" + (table["patch_id"].astype(int) % 10).astype(str))
    (low, high), (wider_low, wider_high) = (ranked(t, MEASURES)[1].behind_ci95 for t in (table, slides))
    assert wider_high - wider_low > 0.8 * (high - low)
    assert ranked(table[table["patch_id"].astype(int) < 9], MEASURES) == []
    assert ranked(table, ("seen", "unknown")) == []
