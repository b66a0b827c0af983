"""The AUC with its interval: the textbook's formula, and how often it covers where slides differ."""

import numpy as np
import pytest

from model.learning.evaluation import metrics
from model.learning.ranking import auc_over_units


def judged(rng: np.random.Generator, slides: int, per_slide: int, spread: float):
    slide = np.repeat(np.arange(slides), per_slide)
    truth = rng.random(len(slide)) < 0.5
    score = 1.2 * truth + rng.normal(0, 1, len(slide)) + rng.normal(0, spread, slides)[slide]
    return truth, score, slide


def test_it_is_scikit_learns_auc_also_with_ties():
    truth, score, _ = judged(np.random.default_rng(0), 40, 1, 0)
    given = 1 / (1 + np.exp(-score))
    for values in (given, np.round(given, 1)):
        auc, _ = auc_over_units(truth, values, np.arange(len(truth)))
        assert auc == pytest.approx(metrics(truth, values)["auc"])


def test_with_one_patch_per_slide_the_variance_is_delongs_written_out():
    truth, score, slide = judged(np.random.default_rng(1), 30, 1, 0)
    positives, negatives = score[truth], score[~truth]
    psi = np.array([[1.0 * (x > y) + 0.5 * (x == y) for y in negatives] for x in positives])
    variance = psi.mean(1).var(ddof=1) / len(positives) + psi.mean(0).var(ddof=1) / len(negatives)
    auc, (low, high) = auc_over_units(truth, score, slide)
    logit = [np.log(p / (1 - p)) for p in (low, auc, high)]
    half = 1.959964 * variance**0.5 / (auc * (1 - auc))
    assert logit[2] - logit[1] == pytest.approx(half, rel=0.02)  # its sum over clusters counts n / (n - 1) over all
    assert logit[1] - logit[0] == pytest.approx(half, rel=0.02)


def test_where_slides_differ_the_interval_covers_and_one_over_patches_would_not():
    rng = np.random.default_rng(2)
    truth, score, _ = judged(rng, 40_000, 1, 1.0)
    true = auc_over_units(truth, score, np.arange(len(truth)))[0]
    hit = {"slides": 0, "patches": 0}
    for _ in range(200):
        truth, score, slide = judged(rng, 25, 8, 1.0)
        # One class per slide: what slides have of their own goes into the ranking whole.
        truth = (slide % 2).astype(bool)
        score = 1.2 * truth + rng.normal(0, 1, len(slide)) + rng.normal(0, 1, 25)[slide]
        for name, unit in (("slides", slide), ("patches", np.arange(len(slide)))):
            low, high = auc_over_units(truth, score, unit)[1]
            hit[name] += low <= true <= high
    assert hit["slides"] >= 180 and hit["patches"] < 150, hit


def test_where_nothing_tells_how_others_would_come_out_there_is_no_interval():
    truth = np.array([True, True, False, False])
    assert auc_over_units(truth, np.array([0.9, 0.8, 0.2, 0.1]), np.arange(4)) == (1.0, None)
    assert auc_over_units(truth, np.array([0.9, 0.1, 0.2, 0.3]), np.array(["a", "a", "b", "c"]))[1] is None
