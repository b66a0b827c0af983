"""Simulated readers answer by their skill, the same every time, and are never mistaken for data."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from core.errors import InvalidInput
from study.design.simulate import SimulatedReader, answer

READER = SimulatedReader(lapse=0.0)


def answers(reader=READER, *, readers=1, patches=400, truth=True, altered=False, set_number=1, seed=1, arm=None):
    """(readers, patches) of answers."""
    return [
        [
            answer(
                reader,
                seed=seed,
                reader_id=f"R{r:02d}",
                patch_id=f"p{p:04d}",
                set_number=set_number,
                altered=altered,
                truth=truth,
                arm=arm,
            )
            for p in range(patches)
        ]
        for r in range(readers)
    ]


def correct(found, truth=True):
    return np.array([[one.tumour == truth for one in row] for row in found])


def test_an_answer_depends_on_its_arguments_alone():
    assert answers(patches=30) == answers(patches=30)
    assert answers(patches=30)[0][5] == answers(patches=6)[0][5]
    assert answers(patches=30) != answers(patches=30, seed=2)
    assert answers(patches=30) != answers(patches=30, set_number=2)


@pytest.mark.parametrize(
    ("truth", "altered", "rate"), [(True, False, 0.9), (True, True, 0.7), (False, False, 0.8), (False, True, 0.8)]
)
def test_the_rates_asked_for_come_out_over_readers_and_patches(truth, altered, rate):
    skill = SimulatedReader(sensitivity=0.9, sensitivity_altered=0.7, specificity=0.8, lapse=0.0)
    found = correct(answers(skill, readers=40, patches=100, truth=truth, altered=altered), truth)
    assert found.mean() == pytest.approx(rate, abs=0.035)  # patches and readers are shared, so it wavers more


def test_patches_are_hard_for_every_reader_and_in_both_sets():
    skill = SimulatedReader(sensitivity=0.7, patch_sd=2.0, lapse=0.0)
    first, second = (correct(answers(skill, readers=2, set_number=s)) for s in (1, 2))
    assert np.corrcoef(first[0], second[0])[0, 1] > 0.4  # one reader, two sets
    assert np.corrcoef(first[0], first[1])[0, 1] > 0.4  # two readers
    alone = SimulatedReader(sensitivity=0.7, patch_sd=0.0, reader_sd=0.0, lapse=0.0)
    first, second = (correct(answers(alone, readers=2, set_number=s)) for s in (1, 2))
    assert abs(np.corrcoef(first[0], second[0])[0, 1]) < 0.2


def test_a_reader_biased_to_tumour_is_better_on_positives_and_worse_on_negatives():
    skill = SimulatedReader(sensitivity=0.8, specificity=0.8, reader_sd=1.5, patch_sd=0.0, lapse=0.0)
    sensitivity = correct(answers(skill, readers=12, patches=200)).mean(axis=1)
    specificity = correct(answers(skill, readers=12, patches=200, truth=False), False).mean(axis=1)
    assert spearmanr(sensitivity, specificity).statistic < -0.8


def test_sure_answers_are_more_often_right():
    row = answers(SimulatedReader(sensitivity=0.75, lapse=0.0), patches=1500)[0]
    right = {c: np.mean([one.tumour for one in row if one.confidence == c]) for c in (1, 3, 5)}
    assert right[1] < right[3] < right[5]


def test_altered_arms_of_one_patch_are_read_anew():
    perturbed, noise = (answers(altered=True, arm=arm)[0] for arm in ("perturbed", "noise"))
    assert [one.rt_ms for one in perturbed] != [one.rt_ms for one in noise]
    assert correct([perturbed]).mean() == pytest.approx(correct([noise]).mean(), abs=0.08)


def test_pairs_are_told_apart_as_often_as_asked_and_times_have_their_median():
    row = answers(SimulatedReader(detection=0.7), patches=1500, altered=True)[0]
    assert np.mean([one.chose_altered for one in row]) == pytest.approx(0.7, abs=0.04)
    assert np.median([one.rt_ms for one in row]) == pytest.approx(READER.median_rt_ms, rel=0.06)


def test_perfect_blind_and_absent_minded_readers_are_possible():
    perfect = SimulatedReader(sensitivity=1.0, lapse=0.0)
    assert correct(answers(perfect)).all()
    assert not correct(answers(SimulatedReader(sensitivity=0.0, lapse=0.0))).any()
    assert correct(answers(SimulatedReader(sensitivity=1.0, lapse=1.0))).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sensitivity": 1.2}, "sensitivity: 1.2"),
        ({"patch_sd": -1}, "patch_sd: -1"),
        ({"median_rt_ms": 0}, "median_rt_ms: 0"),
    ],
)
def test_an_impossible_skill_is_named(wrong, words):
    with pytest.raises(InvalidInput, match=words):
        SimulatedReader(**wrong)
