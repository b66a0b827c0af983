"""Agreement: against irrCAC, krippendorff, statsmodels and published examples."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from study.statistics.agreement import agreement, cohen_kappa

NAN = np.nan
THREE = np.array([
    [1, 1, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0], [1, 1, 1], [1, 1, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0],
], float)  # fmt: skip
HOLES = np.array([
    [1, 1, 1], [NAN, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, NAN], [1, 1, 1], [1, 1, 1], [0, 1, 0], [1, NAN, 1], [1, 1, 0],
], float)  # fmt: skip
SPARSE = np.array([
    [1, 1, 1], [NAN, 1, 0], [0, 0, 0], [1, NAN, NAN], [1, 0, NAN], [1, 1, 1], [NAN, NAN, 0], [0, 1, 0], [1, NAN, 1],
    [1, 1, 0],
], float)  # fmt: skip


def pairs(a: int, b: int, c: int, d: int) -> np.ndarray:
    return np.array([(1, 1)] * a + [(1, 0)] * b + [(0, 1)] * c + [(0, 0)] * d, float)


@pytest.mark.parametrize(
    ("ratings", "gwet", "fleiss", "alpha"),
    [
        (THREE, 0.540229885057471, 0.365079365079365, 0.386243386243386),
        (HOLES, 0.425287356321839, 0.206349206349206, 0.315789473684210),
        # Units with one answer: they count in what chance would give, as in irrCAC (told of the two categories).
        (SPARSE, 0.198717948717949, 0.131944444444445, 0.230769230769231),
    ],
)
def test_three_raters_agree_with_irrcac(ratings, gwet, fleiss, alpha):
    """irrCAC 0.4.4 (Gwet's own package) and, for alpha, krippendorff 0.9.0."""
    found = agreement(ratings)
    assert (found.ac1, found.fleiss_kappa, found.alpha) == pytest.approx((gwet, fleiss, alpha), abs=1e-9)


def test_gwets_example_of_the_kappa_paradox():
    """Gwet 2002: 118 + 5 + 2 + 0 of 125; kappa -0.0234 (psych 2.2.9 in R: -0.0233918128654961), AC1 0.9408."""
    found = agreement(pairs(118, 5, 2, 0))
    assert found.kappa == pytest.approx(-0.0233918128654961, abs=1e-9)
    assert found.ac1 == pytest.approx(0.9408, abs=5e-5)
    assert found.percent_agreement == pytest.approx(118 / 125)
    assert (found.positive_agreement, found.negative_agreement) == pytest.approx((236 / 243, 0))


def test_krippendorffs_binary_example():
    """Krippendorff 2011, `Computing Krippendorff's alpha-reliability`, A: two observers, ten articles: 0.095."""
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert agreement(np.column_stack([first, second]).astype(float)).alpha == pytest.approx(0.095, abs=5e-4)


@pytest.mark.parametrize("seed", range(3))
def test_kappas_agree_with_statsmodels(seed):
    rng = np.random.default_rng(seed)
    ratings = (rng.random((40, 4)) < 0.8).astype(float)
    counts = np.column_stack([(ratings == 0).sum(axis=1), (ratings == 1).sum(axis=1)])
    assert agreement(ratings).fleiss_kappa == pytest.approx(fleiss_kappa(counts, method="fleiss"), abs=1e-12)
    a, b = ratings[:, 0], ratings[:, 1]
    table = [[((a == i) & (b == j)).sum() for j in (0, 1)] for i in (0, 1)]
    assert cohen_kappa(a, b) == pytest.approx(cohens_kappa(np.array(table)).kappa, abs=1e-12)


def test_one_same_answer_throughout_leaves_kappa_undefined_and_the_interval_wide():
    found = agreement(np.ones((20, 2)), patch=np.arange(20))
    assert found.kappa is found.fleiss_kappa is found.alpha is None
    assert (found.percent_agreement, found.ac1) == (1, 1)
    assert found.wilson_ci95[0] == pytest.approx(0.8389, abs=5e-5)
    assert found.bootstrap_ci95["ac1"] is None


def test_intervals_resample_patches_not_answers():
    """The same answers said by one patch each, or each patch's four times over: the second interval is wider."""
    rng = np.random.default_rng(3)
    ratings = (rng.random((15, 2)) < 0.7).astype(float)
    fourfold = np.repeat(ratings, 4, axis=0)
    alone = agreement(fourfold, patch=np.arange(60)).bootstrap_ci95["ac1"]
    together = agreement(fourfold, patch=np.repeat(np.arange(15), 4)).bootstrap_ci95["ac1"]
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])
    assert agreement(fourfold, patch=np.repeat(np.arange(15), 4)).bootstrap_ci95["ac1"] == together


def test_readers_who_differ_in_steadiness_widen_every_interval():
    """Three readers always agree with themselves, three never do: six readers, not 120 independent readings."""
    reader, patch = (axis.ravel() for axis in np.indices((6, 20)))
    first = np.random.default_rng(1).integers(0, 2, 120).astype(float)
    ratings = np.column_stack([first, np.where(reader < 3, first, 1 - first)])
    alone, all_of_them = agreement(ratings, patch), agreement(ratings, patch, reader)
    assert alone.percent_agreement == all_of_them.percent_agreement == 0.5
    for narrow, wide in (
        (alone.wilson_ci95, all_of_them.wilson_ci95),
        (alone.bootstrap_ci95["ac1"], all_of_them.bootstrap_ci95["ac1"]),
    ):
        assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_one_readers_interval_is_wilsons_own():
    ratings = pairs(30, 5, 3, 2)
    assert agreement(ratings, np.arange(40), np.zeros(40)).wilson_ci95 == agreement(ratings).wilson_ci95


def test_nothing_to_compare():
    assert agreement(np.array([[1, NAN], [NAN, 0]])).n == 0
