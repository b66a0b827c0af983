"""Cases are drawn by the seed alone, and a pool that is too small is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from core.errors import InvalidInput
from study.design.sampling import draw_cases


@pytest.fixture
def pool():
    rng = np.random.Generator(np.random.PCG64(5))
    n = 60
    return pd.DataFrame(
        {
            "patch_id": [f"p{i:03d}" for i in range(n)],
            "truth": [1] * 40 + [0] * 20,
            "group": ["slide-a"] * 30 + [f"slide-{i % 5}" for i in range(30)],
            "tumour_cells": rng.integers(5, 60, n),
            "margin": rng.normal(size=n),
        }
    )


@pytest.mark.parametrize("stratify", ["random", "group", "tumour_cells", "margin"])
def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_rows(pool, stratify):
    drawn = draw_cases(pool, n_positive=12, n_negative=6, seed=3, stratify=stratify)
    again = draw_cases(pool.sample(frac=1, random_state=1), n_positive=12, n_negative=6, seed=3, stratify=stratify)
    pd.testing.assert_frame_equal(drawn, again)
    assert drawn["truth"].tolist() == [1] * 12 + [0] * 6
    assert drawn["patch_id"].is_unique
    other = draw_cases(pool, n_positive=12, n_negative=6, seed=4, stratify=stratify)
    assert set(other["patch_id"]) != set(drawn["patch_id"])


def test_without_strata_each_patch_is_equally_likely(pool):
    counts = dict.fromkeys(pool["patch_id"][:40], 0)
    for seed in range(400):
        for patch in draw_cases(pool, n_positive=10, n_negative=0, seed=seed)["patch_id"]:
            counts[patch] += 1
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_more_negatives_leave_the_positives_as_they_were(pool):
    few = draw_cases(pool, n_positive=10, n_negative=0, seed=1)
    more = draw_cases(pool, n_positive=10, n_negative=15, seed=1)
    assert few["patch_id"].tolist() == more["patch_id"].tolist()[:10]


def test_groups_share_the_cases_evenly(pool):
    drawn = draw_cases(pool, n_positive=12, n_negative=0, seed=0, stratify="group")
    per_group = drawn["group"].value_counts()
    assert per_group.max() - per_group.min() <= 1
    assert set(per_group.index) == set(pool[pool["truth"] == 1]["group"])


def test_a_measured_stratum_gives_one_case_per_slice(pool):
    drawn = draw_cases(pool, n_positive=10, n_negative=0, seed=0, stratify="margin")
    ranks = pool[pool["truth"] == 1]["margin"].rank(method="first")
    slices = {int((ranks[pool["patch_id"] == patch].iloc[0] - 1) // 4) for patch in drawn["patch_id"]}
    assert slices == set(range(10))


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        (lambda p: p, {"n_positive": 41}, "40 eligible positives, but 41"),
        (lambda p: p, {"n_negative": 21}, "20 eligible negatives, but 21"),
        (lambda p: p, {"n_positive": 0}, "both 0"),
        (lambda p: p, {"n_positive": -1}, "n_positive is -1"),
        (lambda p: p, {"stratify": "colour"}, "stratify is 'colour'"),
        (lambda p: p.drop(columns="margin"), {"stratify": "margin"}, "no column margin"),
        (lambda p: pd.concat([p, p.iloc[:1]]), {}, "patch 'p000' twice"),
        (lambda p: p.assign(truth=[7] + [1] * 59), {}, "Patch 'p000' has truth 7"),
        (lambda p: p.assign(margin=np.nan), {"stratify": "margin"}, "Patch 'p000' has no margin"),
    ],
)
def test_bad_pools_and_requests_are_named(pool, change, asked, words):
    with pytest.raises(InvalidInput, match=words):
        draw_cases(change(pool), **({"n_positive": 5, "n_negative": 0, "seed": 0} | asked))
