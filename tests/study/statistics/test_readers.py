"""Several readers: against R, against the equivalent analysis of variance in statsmodels, and against plain t tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from study.statistics.readers import obuchowski_rockette

X0 = (
    "2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,"
    "2,2,2,2,2,2,2,1,1,2,1,2,2,2,2,2,2,2,2,1,2,2,2,2,2,2,2,2,2,1"
)
X1 = (
    "1,0,2,1,1,2,0,1,2,0,1,2,2,1,2,2,0,1,1,0,2,1,2,2,1,2,2,2,2,2,"
    "1,1,2,0,1,2,1,2,2,2,1,2,2,2,2,1,1,2,0,1,2,1,1,2,1,1,0,2,1,2"
)


def scores(readers=5, patches=20, seed=0, p=(0.9, 0.75)):
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, patches)
    return np.stack([
        (ease + rng.normal(0, 1, (2, readers, patches)) > stats.norm.ppf(1 - q) * np.sqrt(2)).mean(axis=0) for q in p
    ])  # fmt: skip


def test_random_readers_and_patches_agree_with_r():
    """R 4.2.2: anova(lm(theta ~ arm * reader)) and cov() / n, then Hillis 2007 by hand; 4 readers, 15 patches."""
    x = np.array([[int(v) for v in text.split(",")] for text in (X0, X1)]).reshape(2, 4, 15) / 2
    found = obuchowski_rockette(x)
    close = {"rel": 1e-9}
    assert (found.ms_t, found.ms_r, found.ms_tr) == pytest.approx(
        (0.16055555555555556, 0.00370370370370371, 0.00648148148148148), **close
    )
    assert (found.var, found.cov1, found.cov2, found.cov3) == pytest.approx(
        (0.004821428571428572, -0.000297619047619048, 0.001911375661375661, -0.000198412698412698), **close
    )
    random = found.random_both
    assert random.t**2 == pytest.approx(10.76063829787234560, **close)
    assert random.df == pytest.approx(15.89817576009997069, **close)
    assert random.p == pytest.approx(0.00474327692246135, **close)
    assert random.se == pytest.approx(0.08637312927246214, **close)
    assert random.interval() == pytest.approx((-0.46653154518457451, -0.10013512148209214), **close)
    assert found.fixed_readers.se == pytest.approx(0.075658484978265, **close)
    assert found.fixed_patches.p == pytest.approx(0.0155873581214962, **close)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_equivalent_analysis_of_pseudovalues(seed):
    """Hillis et al. 2005: with jackknife covariances the same F as Dorfman-Berbaum-Metz, here by statsmodels."""
    x = scores(seed=seed)
    _, r, n = x.shape
    long = pd.DataFrame(
        [(a, j, k, x[a, j, k]) for a in range(2) for j in range(r) for k in range(n)],
        columns=["arm", "reader", "patch", "y"],
    )
    table = anova_lm(ols("y ~ C(arm) * C(reader) + C(patch) + C(arm):C(patch) + C(reader):C(patch)", long).fit())
    ms = {name.replace("C(", "").replace(")", ""): row["mean_sq"] for name, row in table.iterrows()}
    spread = max(ms["arm:patch"] - ms["Residual"], 0)
    f = ms["arm"] / (ms["arm:reader"] + spread)
    df = (ms["arm:reader"] + spread) ** 2 / (ms["arm:reader"] ** 2 / (r - 1))
    found = obuchowski_rockette(x)
    assert found.random_both.t**2 == pytest.approx(f, rel=1e-8)
    assert found.random_both.df == pytest.approx(df, rel=1e-8)
    assert found.random_both.p == pytest.approx(stats.f.sf(f, 1, df), rel=1e-8)
    assert found.cov2 - found.cov3 == pytest.approx((ms["arm:patch"] - ms["Residual"]) / (n * r), abs=1e-12)


def test_held_readers_are_the_paired_t_test_over_patches_and_held_patches_the_one_over_readers():
    x = scores(seed=9)
    found = obuchowski_rockette(x)
    over_patches = stats.ttest_rel(x[1].mean(axis=0), x[0].mean(axis=0))
    over_readers = stats.ttest_rel(x[1].mean(axis=1), x[0].mean(axis=1))
    assert found.fixed_readers.p == pytest.approx(over_patches.pvalue, rel=1e-9)
    assert found.fixed_readers.interval() == pytest.approx(tuple(over_patches.confidence_interval()), rel=1e-9)
    assert found.fixed_patches.p == pytest.approx(over_readers.pvalue, rel=1e-9)
    r = x.shape[1]
    parts = found.var - found.cov1 + (r - 1) * (found.cov2 - found.cov3)
    assert found.fixed_readers.se == pytest.approx(np.sqrt(2 / r * parts), rel=1e-9)


def test_a_missing_patch_changes_only_what_it_must():
    x = scores(seed=2)
    x[1, 3, 7] = np.nan  # reader 3 lacks patch 7 in one arm, and keeps it in the other
    found = obuchowski_rockette(x)
    assert found.theta[0, 3] == pytest.approx(x[0, 3].mean())
    assert found.theta[1, 3] == pytest.approx(np.delete(x[1, 3], 7).mean())
    assert found.theta[:, 0] == pytest.approx(x[:, 0].mean(axis=1))
    whole = obuchowski_rockette(scores(seed=2))
    assert found.random_both.se == pytest.approx(whole.random_both.se, rel=0.15)


def test_too_little_is_refused():
    with pytest.raises(ValueError, match="two readers"):
        obuchowski_rockette(np.ones((2, 1, 20)))
    with pytest.raises(ValueError, match="two readers"):
        obuchowski_rockette(np.ones((2, 3, 1)))


def test_identical_readers_and_patches_have_no_error_to_show():
    found = obuchowski_rockette(np.ones((2, 3, 10)))
    assert found.random_both.se == found.fixed_readers.se == found.fixed_patches.se == 0


def test_many_studies_at_once_are_each_study_alone():
    many = np.stack([scores(seed=seed) for seed in range(5)])
    together = obuchowski_rockette(many)
    for number, one in enumerate(many):
        alone = obuchowski_rockette(one)
        assert together.random_both.p[number] == pytest.approx(alone.random_both.p, rel=1e-12)
        assert together.fixed_readers.se[number] == pytest.approx(alone.fixed_readers.se, rel=1e-12)


def test_held_readers_over_slides_of_equal_size_are_the_t_test_over_the_slides_means():
    x = scores(patches=24, seed=4)
    slide = np.arange(24) % 8
    found = obuchowski_rockette(x, slide)
    means = np.stack([x[..., slide == number].mean(axis=-1) for number in range(8)], axis=-1)
    over_slides = stats.ttest_rel(means[1].mean(axis=0), means[0].mean(axis=0))
    assert found.fixed_readers.p == pytest.approx(over_slides.pvalue, rel=1e-9)
    assert found.fixed_readers.df == pytest.approx(7)
