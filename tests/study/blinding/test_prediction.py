"""The audit's predictors find what can be told and, under the redrawn schedules, nothing else."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from study.blinding.audit import THRESHOLD
from study.blinding.predict import auc, predict
from study.blinding.redraw import redraw
from study.design.schedule import StimulusKey, build_schedule

KEYS = [StimulusKey(case_id=str(case), arm=arm) for case in range(10) for arm in ("original", "perturbed")]


def drawn(seed: int = 0, draws: int = 499, pair: bool = False):
    schedule = build_schedule(KEYS, copies=2, min_gap=3, seed=seed)
    true = [(KEYS[index], index % 3 == 0) for order in schedule.sets for index in order]

    def draw(number: int, own: int):
        return build_schedule(KEYS, copies=2, min_gap=3, seed=own)

    return redraw(true, KEYS, draw=draw, draws=draws, seed=seed + 1, pair=pair)


def arm_prediction(x, labels, seed: int = 0):
    return predict(x, (labels.arm == "original")[None], np.arange(len(x))[:, None], seed=seed)


def test_the_first_column_is_the_truth_and_each_redraw_a_schedule():
    labels = drawn()
    assert labels.arm.shape == (40, 500)
    schedule = build_schedule(KEYS, copies=2, min_gap=3, seed=0)
    assert list(labels.arm[:, 0]) == [KEYS[index].arm for order in schedule.sets for index in order]
    for column in range(0, 500, 50):
        assert (labels.arm[:20, column] == "original").sum() == 10
        assert len(set(labels.patch[:20, column])) == 10


def test_sides_of_pairs_are_redrawn_half_and_half():
    labels = drawn(pair=True)
    assert set((labels.arm[:20, 1:] == "altered first").sum(axis=0)) == {10}


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_agrees_with_scikit_learn(ties):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(60, 3)).round(0 if ties else 8)
    labels = rng.random((60, 3)) < 0.4
    expected = [roc_auc_score(labels[:, column], scores[:, column]) for column in range(3)]
    assert auc(scores, labels) == pytest.approx(expected)


def test_one_telling_number_among_many_is_found():
    labels = drawn()
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(size=(40, 100)), (labels.arm[:, 0] == "original") + rng.normal(0, 0.05, 40)])
    found = arm_prediction(x, labels)
    assert found.p <= THRESHOLD
    assert found.auc > 0.9
    assert found.low <= found.auc <= found.high


def test_many_weak_signs_are_found():
    labels = drawn()
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 12)) + 0.8 * (labels.arm[:, 0] == "original")[:, None]
    assert arm_prediction(x, labels).p <= THRESHOLD


def test_noise_is_called_a_leak_no_more_often_than_promised():
    rng = np.random.default_rng(3)
    p = [arm_prediction(rng.normal(size=(40, 8)), drawn(seed, draws=99)).p for seed in range(60)]
    # Uniform under the null: about 6 of 60 at or below 0.1; 14 or more would come up in 2 of 1,000 runs.
    assert sum(value <= 0.1 for value in p) < 14
    assert np.mean(p) > 0.35


def test_what_belongs_to_the_position_raises_no_alarm():
    """A drift along the session is the same for every schedule that might have been drawn."""
    drift = np.column_stack([np.arange(40.0), np.log1p(np.arange(40.0))])
    assert arm_prediction(drift, drawn()).p > THRESHOLD


def test_a_channel_without_variation_says_nothing():
    found = arm_prediction(np.ones((40, 3)), drawn())
    assert (found.auc, found.p) == (0.5, 1.0)
