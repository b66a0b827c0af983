"""The p of a difference of one reader: the sign-flip test, over unequal slides never bolder than a t test."""

import numpy as np
import pytest
from scipy import stats

from study.design.crossed import judge_studies
from study.statistics.clustered import sign_flip
from study.statistics.primary import Scored, one_reader
from study.statistics.rule import judge, over_slides

SIZES = [30, 10, 6, 4, *[3] * 6, *[2] * 4, *[1] * 4]  # 80 patches of 18 slides, one of which holds more than a third
UNIT = np.repeat(np.arange(len(SIZES)), SIZES)


def read(lost_per_slide) -> np.ndarray:
    """Scores (2 arms, 1 reader, 80 patches): all right, but for the patches lost on each slide when perturbed."""
    scores = np.ones((2, 1, len(UNIT)))
    for slide, lost in enumerate(lost_per_slide):
        scores[1, 0, np.flatnonzero(slide == UNIT)[:lost]] = 0
    return scores


def test_one_large_slide_cannot_carry_a_difference_by_its_weight():
    lost = [20, 1, 1, 1, 1, 1, *[0] * 12]
    found = one_reader(Scored(read(lost), UNIT), 0.1, 0.95)
    assert sign_flip(np.array(lost)).p == pytest.approx(0.03125)
    assert found.p > 0.05
    assert found.verdict != "different"
    assert "t test over slides" in found.test


def test_without_slides_the_p_is_that_of_the_sign_flip_test():
    scores = read([20, 1, 1, 1, 1, 1, *[0] * 12])
    for unit in (None, np.arange(80)):
        found = one_reader(Scored(scores, unit), 0.1, 0.95)
        assert found.p == sign_flip(scores[1, 0] - scores[0, 0]).p
        assert "t test" not in found.test


def test_over_equal_slides_the_t_test_is_that_of_scipy():
    rng = np.random.default_rng(2)
    scores = (rng.random((2, 1, 60)) < 0.8).astype(float)
    unit = np.arange(60) % 12
    change = (scores[1, 0] - scores[0, 0]).reshape(5, 12).sum(axis=0)
    assert over_slides(judge(scores, unit).margin.units) == pytest.approx(stats.ttest_1samp(change, 0).pvalue)


def test_the_planner_judges_unequal_slides_as_the_analysis_does():
    rng = np.random.default_rng(5)
    slide = rng.standard_normal((200, 1, len(SIZES)))[:, :, UNIT]
    right = rng.random((200, 2, len(UNIT), 2)) < 0.9
    right[:, 1] &= (slide[:, 0] < 1.2)[..., None] | (rng.random((200, len(UNIT), 2)) < 0.5)
    correct = right[:, :, None]
    found, _, _ = judge_studies(correct, UNIT, 0.1, 0.025)
    p = np.array([one_reader(Scored(study.mean(axis=3), UNIT), 0.1, 0.95).p for study in correct])
    assert 0 < found.mean() < 1
    assert (found == (p <= 0.05)).all()
