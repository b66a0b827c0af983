"""Simulated readers answer by their skill, the same every time, and are never mistaken for data."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from core.errors import InvalidInput
from study.design.simulate import SimulatedReader, answer, threshold_of

READER = SimulatedReader(lapse=0.0)


def answers(reader=READER, *, readers=1, patches=400, truth=True, set_number=1, seed=1, slides=0, **shown):
    """(readers, patches) of answers."""
    return [
        [
            answer(
                reader,
                seed=seed,
                reader_id=f"R{r:02d}",
                patch_id=f"p{p:04d}",
                set_number=set_number,
                truth=truth,
                group=f"s{p % slides}" if slides else "",
                **shown,
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
    ("truth", "arm", "rate"),
    [(True, "original", 0.9), (True, "perturbed", 0.7), (True, "noise", 0.85), (False, "original", 0.8),
     (False, "perturbed", 0.8)],
)  # fmt: skip
def test_the_rates_asked_for_come_out_over_readers_and_patches(truth, arm, rate):
    skill = SimulatedReader(sensitivity=0.9, specificity=0.8, effect={"perturbed": -0.2, "noise": -0.05}, lapse=0.0)
    found = correct(answers(skill, readers=40, patches=100, truth=truth, arm=arm), truth)
    assert found.mean() == pytest.approx(rate, abs=0.035)  # patches and readers are shared, so it wavers more


def test_spreads_over_arms_readers_and_slides_leave_the_rates_as_they_are():
    skill = SimulatedReader(
        sensitivity=0.8, effect={"noise": -0.1}, lapse=0.0, patch_arm_sd=0.5, reader_arm_sd=0.3, group_sd=0.5,
        group_arm_sd=0.5,
    )  # fmt: skip
    for arm, rate in (("original", 0.8), ("noise", 0.7)):
        found = correct(answers(skill, readers=40, patches=200, arm=arm, slides=100))
        assert found.mean() == pytest.approx(rate, abs=0.05)


def test_what_an_arm_does_to_a_slide_is_shared_by_its_patches_and_readers():
    skill = SimulatedReader(sensitivity=0.7, patch_sd=0.0, reader_sd=0.0, group_arm_sd=2.0, lapse=0.0)
    by_slide = {
        arm: correct(answers(skill, readers=6, patches=200, arm=arm, slides=10)).reshape(6, 20, 10).mean(axis=(0, 1))
        for arm in ("original", "noise")
    }
    assert by_slide["noise"].std() > 0.15  # by chance 0.04
    assert abs(np.corrcoef(by_slide["original"], by_slide["noise"])[0, 1]) < 0.7
    shared = SimulatedReader(sensitivity=0.7, patch_sd=0.0, reader_sd=0.0, group_sd=2.0, lapse=0.0)
    pair = [
        correct(answers(shared, readers=6, patches=200, arm=arm, slides=10)).reshape(6, 20, 10).mean(axis=(0, 1))
        for arm in ("original", "noise")
    ]
    assert np.corrcoef(*pair)[0, 1] > 0.9


@pytest.mark.parametrize(("given", "field"), [("twin", "recognised"), ("before", "remembered")])
def test_a_recognised_patch_gets_the_earlier_label_again(given, field):
    skill = SimulatedReader(sensitivity=0.9, reader_sd=0.0, lapse=0.0, **{field: 0.5})
    found = correct(answers(skill, **{given: False}))
    assert found.mean() == pytest.approx(0.45, abs=0.07)  # half of the answers are the earlier one, wrong
    assert correct(answers(skill)).mean() == pytest.approx(0.9, abs=0.05)  # nothing earlier, nothing to repeat
    always = SimulatedReader(**{field: 1.0})
    assert correct(answers(always, **{given: True})).all()
    assert [one.tumour_cells > 0 for one in answers(always, **{given: False}, patches=5)[0]] == [False] * 5


def test_lost_patches_are_lost_to_every_reader_in_their_arm_alone():
    skill = SimulatedReader(sensitivity=1.0, lost={"noise": 0.1}, lapse=0.0)
    found = correct(answers(skill, readers=5, arm="noise"))
    assert found.mean() == pytest.approx(0.9, abs=0.04) and (found == found[0]).all()
    assert correct(answers(skill)).all()


def test_drift_runs_along_the_set_and_from_set_to_set():
    skill = SimulatedReader(sensitivity=0.9, drift=-0.2, set_drift=-0.1, lapse=0.0)
    for position, number, rate in ((1, 1, 0.9), (101, 1, 0.7), (201, 1, 0.5), (1, 3, 0.7)):
        found = correct(answers(skill, readers=20, position=position, set_number=number))
        assert found.mean() == pytest.approx(rate, abs=0.04)


def test_a_bias_says_tumour_of_everything():
    skill = SimulatedReader(bias=10.0, lapse=0.0)
    assert correct(answers(skill)).all()
    assert not correct(answers(skill, truth=False), truth=False).any()


def test_a_suspicious_reader_says_altered_of_both_arms():
    skill = SimulatedReader(detection=0.6, suspicion=1.0)
    said = {
        arm: np.mean([one.thinks_altered for one in answers(skill, patches=1500, arm=arm)[0]])
        for arm in ("original", "noise")
    }
    assert said["noise"] == pytest.approx(0.895, abs=0.03)  # Phi(z(.6) + 1)
    assert said["original"] == pytest.approx(0.772, abs=0.04)  # Phi(-z(.6) + 1)


def test_a_preference_for_one_image_of_a_pair_lasts_over_the_sets():
    skill = SimulatedReader(detection=0.6, preference_sd=2.0)
    sets = [
        np.array([one.chose_altered for one in answers(skill, patches=1000, arm="noise", set_number=number)[0]])
        for number in (1, 2)
    ]
    assert sets[0].mean() == pytest.approx(0.6, abs=0.05)
    assert np.corrcoef(*sets)[0, 1] > 0.4


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
    perturbed, noise = (answers(arm=arm)[0] for arm in ("perturbed", "noise"))
    assert [one.rt_ms for one in perturbed] != [one.rt_ms for one in noise]
    assert correct([perturbed]).mean() == pytest.approx(correct([noise]).mean(), abs=0.08)


def test_pairs_are_told_apart_as_often_as_asked_and_times_have_their_median():
    row = answers(SimulatedReader(detection=0.7), patches=1500, arm="perturbed")[0]
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
        ({"bias": 11}, "bias: 11"),
        ({"drift": float("nan")}, "drift: nan"),
        ({"recognised": 1.5}, "recognised: 1.5"),
        ({"effect": {"noise": -0.9}}, "effect: noise=-0.9 takes the sensitivity from 0.88 to -0.02"),
        ({"effect": {"original": -0.1}}, "effect: effects are against the original"),
    ],
)
def test_an_impossible_skill_is_named(wrong, words):
    with pytest.raises(InvalidInput, match=words):
        SimulatedReader(**wrong)


def test_a_planted_threshold_comes_out_of_the_pairs():
    reader = SimulatedReader(threshold={"perturbed": 4.0}, slope=6.0, lapse=0.0)

    def share(level, ladder="perturbed", arm="perturbed:03"):
        asked = {"seed": 1, "reader_id": "R01", "patch_id": "p", "set_number": 1, "truth": True, "arm": arm}
        picked = [
            answer(reader, position=at, ladder=ladder, level=level, **asked).chose_altered for at in range(1, 401)
        ]
        return sum(picked) / len(picked)

    assert share(4.0) == pytest.approx(0.75, abs=0.06)
    assert share(16.0) > 0.98
    assert share(0.5) == pytest.approx(0.5, abs=0.08)
    assert share(0.0, ladder="", arm="original") == pytest.approx(0.5, abs=0.08)


def test_thresholds_differ_between_readers_and_patches_as_much_as_planted():
    reader = SimulatedReader(threshold={"perturbed": 4.0}, threshold_sd=0.3, threshold_patch_sd=0.5)
    logs = np.array([
        [np.log(threshold_of(reader, "perturbed", seed=1, reader_id=f"R{r}", patch_id=f"p{p}") / 4) for p in range(60)]
        for r in range(60)
    ])  # fmt: skip
    assert logs.mean(axis=1).std() == pytest.approx(0.3, rel=0.3)
    assert logs.mean(axis=0).std() == pytest.approx(0.5, rel=0.3)


@pytest.mark.parametrize(("wrong", "field"), [({"slope": 0.0}, "slope"), ({"threshold": {"noise": 0.0}}, "threshold")])
def test_a_threshold_that_is_none_is_refused(wrong, field):
    with pytest.raises(InvalidInput) as refused:
        SimulatedReader(**wrong)
    assert refused.value.field == field
