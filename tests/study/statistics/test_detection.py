"""Signal detection, blinding, times, psychometric functions and GEE."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

from study.statistics.detection import bang, d_prime, forced_choice
from study.statistics.gee import gee
from study.statistics.psychometric import psychometric
from study.statistics.times import response_time


def test_d_prime_is_the_distance_that_makes_these_rates():
    """Two unit normals d' apart with the cut at d'/2 + c give back the log-linear hit and false-alarm rates."""
    found = d_prime(17, 20, 4, 20)
    cut = found.d_prime / 2 + found.criterion
    assert stats.norm.sf(cut, loc=found.d_prime) == pytest.approx(17.5 / 21, abs=1e-12)
    assert stats.norm.sf(cut) == pytest.approx(4.5 / 21, abs=1e-12)


def test_d_prime_survives_perfect_rates():
    """Hautus 1995: 20 of 20 hits and no false alarm of 20: z(20.5/21) - z(0.5/21)."""
    found = d_prime(20, 20, 0, 20)
    assert found.d_prime == pytest.approx(2 * stats.norm.ppf(20.5 / 21))
    assert found.criterion == pytest.approx(0, abs=1e-12)
    assert np.isfinite(found.interval()).all()


def test_the_spread_of_d_prime_matches_repeated_experiments():
    rng = np.random.default_rng(1)
    hits, false_alarms = rng.binomial(200, 0.8, 1500), rng.binomial(200, 0.3, 1500)
    values = [d_prime(h, 200, f, 200).d_prime for h, f in zip(hits, false_alarms)]
    assert d_prime(160, 200, 60, 200).se == pytest.approx(np.std(values), rel=0.08)


def test_forced_choice_is_exact():
    found = forced_choice(15, 20)
    assert found.proportion == 0.75
    assert found.exact_p == pytest.approx(stats.binomtest(15, 20, alternative="greater").pvalue)
    assert found.ci95 == pytest.approx(tuple(stats.binomtest(15, 20).proportion_ci(method="exact")))
    assert found.upper95 == pytest.approx(stats.binomtest(15, 20, alternative="less").proportion_ci(0.95).high)


def test_bangs_index_of_the_crisp_trial():
    """Bang, Ni & Davis 2004, table 7: 82/25/170 and 29/27/83; 0.21 and 0.01 there; R package BI 1.2.0's formula."""
    drug, placebo = bang(82, 25, 170), bang(29, 27, 83)
    assert (round(drug.index, 2), round(placebo.index, 2)) == (0.21, 0.01)
    assert drug.ci95 == pytest.approx((0.1367127450391339, 0.2748396015312632), abs=1e-9)
    assert placebo.ci95 == pytest.approx((-0.0911025787793826, 0.1198795571966489), abs=1e-9)


@pytest.mark.parametrize(("counts", "index"), [((4, 0, 0), 1), ((0, 3, 0), -1), ((0, 0, 1), 0)])
def test_like_guesses_leave_bangs_index_without_an_interval(counts, index):
    assert bang(*counts).index == index and bang(*counts).ci95 is None


def test_times_are_the_paired_tests_on_patch_means_of_logs():
    rng = np.random.default_rng(2)
    patch = np.repeat(np.arange(12), 3)
    original, perturbed = rng.lognormal(8, 0.4, 36), rng.lognormal(8.1, 0.4, 36)
    d = pd.Series(np.log(perturbed) - np.log(original)).groupby(patch).mean()
    found = response_time(original, perturbed, patch)
    test = stats.ttest_1samp(d, 0)
    assert found.ratio == pytest.approx(np.exp(d.mean()))
    assert found.p == pytest.approx(test.pvalue)
    assert found.ci95 == pytest.approx(tuple(np.exp(test.confidence_interval())))
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(d).pvalue)


def test_wilcoxon_agrees_with_r():
    """R 4.2.2: wilcox.test(c(1.2,-.3,.4,2,.1,-.6,.9))$p.value = 0.21875, t.test(...)$p.value = 0.17324089003808."""
    d = np.array([1.2, -0.3, 0.4, 2, 0.1, -0.6, 0.9])
    found = response_time(np.ones(7), np.exp(d), np.arange(7))
    assert (found.wilcoxon_p, found.p) == pytest.approx((0.21875, 0.17324089003808))


def test_psychometric_function_without_lapses_is_logistic_regression():
    x, k, n = np.array([0.5, 1, 2, 4, 8, 16]), np.array([39, 37, 30, 22, 11, 4]), np.full(6, 40)
    fit = sm.GLM(np.column_stack([k, n - k]), sm.add_constant(np.log(x)), family=sm.families.Binomial()).fit()
    found = psychometric(x, k, n, guess=0.0, rising=False)
    assert found.lapse < 1e-3
    assert found.threshold == pytest.approx(np.exp(-fit.params[0] / fit.params[1]), rel=2e-3)
    assert found.slope == pytest.approx(-fit.params[1], rel=5e-3)
    assert found.ci95[0] < found.threshold < found.ci95[1]


def test_psychometric_interval_covers_the_truth_of_a_pair_comparison():
    rng = np.random.default_rng(5)
    x = np.array([1.0, 2, 4, 8, 16])
    covered = 0
    for _ in range(30):
        p = 0.5 + 0.48 / (1 + (x / 4) ** -2.0)
        found = psychometric(x, rng.binomial(60, p), np.full(5, 60), guess=0.5, rising=True)
        covered += found.ci95 is not None and found.ci95[0] <= 4 <= found.ci95[1]
    assert covered >= 25


def test_a_flat_curve_has_no_threshold():
    found = psychometric([1, 2, 4, 8], [20, 20, 20, 20], [20] * 4, guess=0.0, rising=False)
    assert found.threshold is None
    assert found.ci95 is None


def answers(readers=5, patches=20, by_reader=0.0, seed=8):
    """Correct, perturbed, patch, reader of a complete study; a reader's drop on perturbed patches differs."""
    rng = np.random.default_rng(seed)
    reader, patch, perturbed, _set = (axis.ravel() for axis in np.indices((readers, patches, 2, 2)))
    drop = 0.4 + by_reader * rng.normal(0, 1, readers)
    score = rng.normal(0, 1, patches)[patch] + rng.normal(0.9, 1, len(patch)) - drop[reader] * perturbed
    return (score > 0).astype(int), perturbed, patch, reader


def test_gee_gives_the_odds_ratio_of_statsmodels_and_of_the_pooled_answers():
    correct, perturbed, patch, _ = answers(readers=1, patches=60)
    found = gee(correct, perturbed, patch)
    frame = pd.DataFrame({"y": correct, "x": perturbed, "g": patch})
    fit = smf.gee("y ~ x", "g", frame, cov_struct=sm.cov_struct.Exchangeable(), family=sm.families.Binomial()).fit(
        cov_type="bias_reduced"
    )
    odds = [(p := correct[perturbed == arm].mean()) / (1 - p) for arm in (0, 1)]
    assert found.odds_ratio == pytest.approx(odds[1] / odds[0], rel=1e-9)
    assert found.odds_ratio == pytest.approx(np.exp(fit.params["x"]), rel=1e-6)
    # Clustered on patches alike; t with 59 degrees of freedom here, normal with a larger variance there.
    assert np.log(found.ci95) == pytest.approx(fit.conf_int().loc["x"].to_numpy(), abs=0.02)


def test_gee_knows_that_readers_differ():
    """The same answers, clustered on patches alone as before, or on readers and patches."""
    correct, perturbed, patch, reader = answers(by_reader=0.8)
    alone, both = gee(correct, perturbed, patch), gee(correct, perturbed, patch, reader)
    assert both.odds_ratio == pytest.approx(alone.odds_ratio)
    assert np.log(both.ci95[1] / both.ci95[0]) > 1.5 * np.log(alone.ci95[1] / alone.ci95[0])
    assert (both.readers, both.units) == (5, 20)


def test_gee_of_a_perfect_arm_is_undefined():
    assert gee(np.ones(8), np.tile([0, 1], 4), np.repeat(np.arange(4), 2)) is None


def test_a_threshold_beside_more_lapses_than_the_fit_allows_has_no_interval():
    found = psychometric([1, 2, 4, 8, 16], [28, 27, 20, 9, 2], [40] * 5, guess=0.0, rising=False)
    assert found.lapse == pytest.approx(0.1)
    assert found.ci95 is None
    assert "lapse" in found.reason
