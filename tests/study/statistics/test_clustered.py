"""One reader, several sets."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.proportions import tango
from study.statistics.clustered import Clusters, effective, obuchowski, sign_flip, yang

B = np.array([2, 0, 1, 0, 0, 1, 2, 0, 0, 1])
C = np.array([0, 1, 0, 0, 2, 0, 0, 0, 1, 0])
N = np.array([2, 2, 2, 2, 2, 2, 2, 2, 2, 1])
EXAMPLE = Clusters(N - B - C, B, C, np.zeros(10, int))


def test_clustered_chi_squares_agree_with_r():
    """R 4.2.2 with the formulas of clust.bin.pair 0.1.2 (.obuchowski.impl, .yang.impl) on bk, ck, nk above."""
    assert obuchowski(EXAMPLE) == pytest.approx((0.476470588235294, 0.490025359501799), abs=1e-9)
    assert yang(EXAMPLE) == pytest.approx((0.485851956467558, 0.485783509703597), abs=1e-9)


def test_obuchowski_is_her_own_formula_with_pooled_proportions():
    """Obuchowski 1998, eq. 5-7: variances and covariance of the two proportions about their common mean."""
    x1, x2, n, k = EXAMPLE.a + B, EXAMPLE.a + C, N, len(N)
    total = n.sum()
    common = (x1.sum() + x2.sum()) / (2 * total)

    def cov(x, y):
        return k / (k - 1) * ((x - n * common) * (y - n * common)).sum() / total**2

    statistic = ((x1 - x2).sum() / total) ** 2 / (cov(x1, x1) + cov(x2, x2) - 2 * cov(x1, x2))
    assert obuchowski(EXAMPLE)[0] == pytest.approx(statistic, rel=1e-12)


def test_sign_flip_agrees_with_scipys_paired_permutation_test():
    d = np.array([0.5, -1.0, 0.5, 0.5, 1.0, -0.5, 0.5, 1.0])
    expected = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip(d).p == pytest.approx(expected, abs=1e-12)
    assert sign_flip(np.concatenate([d, np.zeros(5)])).p == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-1, -0.5, 0, 0.5, 1]), min_size=1, max_size=10))
def test_sign_flip_is_the_share_of_all_sign_patterns(d):
    d = np.array(d)
    sums = np.abs(np.array(list(product((-1, 1), repeat=len(d)))) @ d)
    assert sign_flip(d).p == pytest.approx(np.mean(sums >= abs(d.sum()) - 1e-9), abs=1e-12)


def test_sign_flip_enumerates_what_lies_on_no_lattice_and_draws_beyond():
    rng = np.random.default_rng(0)
    few = rng.normal(0.3, 1, 12)
    sums = np.abs(np.array(list(product((-1, 1), repeat=12))) @ few)
    assert sign_flip(few).p == pytest.approx(np.mean(sums >= abs(few.sum()) - 1e-12), abs=1e-12)
    many = rng.normal(0.25, 1, 40)
    drawn = sign_flip(many)
    assert 0 < drawn.error < 0.002
    assert drawn.p == pytest.approx(stats.ttest_1samp(many, 0).pvalue, abs=0.02)
    assert drawn == sign_flip(many)


def test_sign_flip_of_many_patches_with_whole_differences_is_exact():
    """With differences of +-1 it is the sign test, whatever the number of patches."""
    d = np.array([1] * 40 + [-1] * 20)
    assert sign_flip(d).p == pytest.approx(stats.binomtest(20, 60).pvalue, abs=1e-12)
    assert sign_flip(d).error == 0


def test_the_effective_sample_size_by_hand():
    """4 patches, 2 sets: d = 0.5, -1, 0, 0; b = 2, c = 1, N = 8."""
    clusters = Clusters(np.array([1, 0, 2, 2]), np.array([0, 2, 0, 0]), np.array([1, 0, 0, 0]), np.zeros(4, int))
    found = effective(clusters)
    v = ((2 + 1) / 8 - (1 / 8) ** 2) / 8
    vif = min(max(np.var([0.5, -1, 0, 0], ddof=1) / 4 / v, 1), 2)
    assert found.vif == pytest.approx(vif)
    assert found.n_eff == pytest.approx(8 / vif)
    assert found.tango(0.9) == pytest.approx(tango(2 / vif, 1 / vif, 8 / vif, 0.9))


def test_no_discordant_pair_counts_every_patch_once():
    clusters = Clusters(np.full(20, 2), *(np.zeros(20, int),) * 3)
    found = effective(clusters)
    assert (found.vif, found.n_eff) == (2, 20)
    assert found.tango(0.90) == pytest.approx((-0.119157837360964, 0.119157837360964), abs=1e-9)
    assert obuchowski(clusters)[1] == yang(clusters)[1] == sign_flip(clusters.differences).p == 1.0


def test_one_set_is_the_plain_pairs():
    clusters = Clusters(np.array([1, 0, 0, 1]), np.array([0, 1, 0, 0]), np.array([0, 0, 1, 0]), np.zeros(4, int))
    assert effective(clusters).vif == 1
    assert effective(clusters).tango() == pytest.approx(tango(1, 1, 4))


def test_the_published_margins_allow_the_range_of_claims_that_the_design_page_names():
    """17/18 and 18/18 of 20: 193 joint patterns; the 90 % interval reaches between 10.6 and 21.9 points."""
    needed, types = (3, 2, 2, 2), [t for t in product((0, 1), repeat=4) if any(t)]  # misses in o1, p1, o2, p2

    def patterns(index, left):
        if index == len(types):
            if not any(left):
                yield ()
            return
        count = 0
        while min(rest := tuple(x - count * t for x, t in zip(left, types[index]))) >= 0:
            for tail in patterns(index + 1, rest):
                yield (count, *tail)
            count += 1

    reaches = []
    for pattern in patterns(0, needed):
        missed = [types[i] for i, count in enumerate(pattern) for _ in range(count)]
        missed += [(0, 0, 0, 0)] * (20 - len(missed))
        right = 1 - np.array(missed)
        pairs = Clusters.count(right[:, [0, 2]].ravel(), right[:, [1, 3]].ravel(), np.repeat(np.arange(20), 2))
        low, high = effective(pairs).tango(0.90)
        reaches.append(max(-low, high))
    assert len(reaches) == 193
    assert min(reaches) == pytest.approx(0.106, abs=5e-4)
    assert max(reaches) == pytest.approx(0.219, abs=5e-4)
