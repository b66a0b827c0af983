"""The adaptive rule on simulated readers whose threshold is known."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from study.design.adaptive import Course, Prior, Rule

LEVELS = tuple(float(level) for level in np.geomspace(1, 16, 8))
PRIOR = Prior.around(LEVELS)


def right(level: float, threshold: float, slope: float, lapse: float) -> float:
    return 0.5 + (0.5 - lapse) / (1 + (threshold / level) ** slope)


def read(seed: int, threshold: float, slope: float, lapse: float, trials: int = 60, prior: Prior = PRIOR) -> Rule:
    """A reader of 60 adaptive trials."""
    rule, rng = Rule(prior), np.random.default_rng(seed)
    for _ in range(trials):
        level = LEVELS[rule.choose(LEVELS)]
        rule.tell(level, bool(rng.random() < right(level, threshold, slope, lapse)))
    return rule


@pytest.mark.parametrize("threshold", [2.5, 4.0, 7.0])
@pytest.mark.parametrize(("slope", "lapse"), [(4.5, 0.0), (6.0, 0.02), (6.0, 0.05)])
def test_sixty_trials_find_the_threshold(threshold, slope, lapse):
    found = [read(seed, threshold, slope, lapse).estimate().threshold for seed in range(24)]
    error = np.log(np.array(found) / threshold)
    assert abs(exp(float(np.median(error))) - 1) < 0.15  # the typical reader
    assert np.mean(abs(np.exp(error) - 1) < 0.15) >= 0.6
    assert np.mean(abs(np.exp(error) - 1) < 0.35) >= 0.9


def test_a_rule_about_the_threshold_finds_it_better_than_one_about_slope_and_lapse_as_well():
    """Over 60 readers of 60 trials: the mean squared error of the log threshold."""
    error = {"threshold": [], "all": []}
    for about, found in error.items():
        prior = replace(PRIOR, about=about)
        for seed in range(60):
            found.append(log(read(seed, 4.0, 3.5, 0.05, prior=prior).estimate().threshold / 4.0) ** 2)
    assert np.mean(error["threshold"]) < 0.9 * np.mean(error["all"])


def test_a_protocol_from_before_the_rule_was_about_the_threshold_is_replayed_as_it_was():
    stored = PRIOR.to_json()
    assert stored.pop("about") == "threshold"
    assert Prior.of_json(stored) == replace(PRIOR, about="all")
    assert Prior.of_json(PRIOR.to_json()) == PRIOR
    shown = {about: [] for about in ("all", "threshold")}
    for about, levels in shown.items():
        rule = Rule(Prior.of_json(stored | {"about": about}))
        for was_right in (True, True, False, True, True, True, True, False, True, True, False, True):
            levels.append(rule.choose(LEVELS))
            rule.tell(LEVELS[levels[-1]], was_right)
    assert shown["all"] != shown["threshold"]


def test_it_needs_fewer_trials_than_every_level_equally_often():
    """The same posterior, fed by 64 trials of the fixed design, is wider than after 60 chosen ones."""
    spreads = {"fixed": [], "adaptive": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        threshold = float(np.exp(rng.uniform(log(2), log(8))))
        fixed = Rule(PRIOR)
        for level in rng.permutation(np.repeat(LEVELS, 8)):
            fixed.tell(float(level), bool(rng.random() < right(level, threshold, 6.0, 0.02)))
        spreads["fixed"].append(fixed.estimate().spread)
        spreads["adaptive"].append(read(seed, threshold, 6.0, 0.02).estimate().spread)
    assert np.mean(spreads["adaptive"]) < 0.85 * np.mean(spreads["fixed"])


def test_the_same_answers_give_the_same_choices():
    rng = np.random.default_rng(5)
    answers = [(LEVELS[rng.integers(8)], bool(rng.random() < 0.7)) for _ in range(30)]
    rule, again = Rule(PRIOR), Rule(Prior.of_json(PRIOR.to_json()))
    for level, was_right in answers:
        for one in (rule, again):
            one.tell(level, was_right)
        assert again.choose(LEVELS) == rule.choose(LEVELS)


def test_both_outcomes_are_chosen_for_before_the_answer_is_looked_at():
    course = Course({"perturbed": PRIOR, "noise": PRIOR})
    for level, was_right in ((4.0, True), (2.0, False), (3.0, True)):
        course.tell("perturbed", level, was_right)
    found = course.choices(("perturbed", 3.0), ("perturbed", LEVELS))
    after = {}
    for outcome in (True, False):
        rule = course.rules["perturbed"].copy()
        rule.tell(3.0, outcome)
        after[outcome] = rule.choose(LEVELS)
    assert found == after
    assert course.rules["perturbed"].trials == 3  # nothing was told by asking


def test_ladders_are_apart_and_identical_pairs_belong_to_none():
    course = Course({"perturbed": PRIOR, "noise": PRIOR})
    first = course.choose("noise", LEVELS)
    for _ in range(10):
        course.tell("perturbed", 3.0, True)
        course.tell("", 0.0, False)
    assert course.choose("noise", LEVELS) == first != course.choose("perturbed", LEVELS)
    assert set(course.choices(("perturbed", 3.0), ("noise", LEVELS)).values()) == {first}


def test_right_answers_lead_to_weaker_changes_and_wrong_ones_to_stronger_ones():
    for outcome, limit in ((True, LEVELS[2]), (False, LEVELS[5])):
        rule = Rule(PRIOR)
        for _ in range(25):
            level = LEVELS[rule.choose(LEVELS)]
            rule.tell(level, outcome)
        assert level <= limit if outcome else level >= limit


def test_identical_pairs_teach_nothing():
    rule, plain = Rule(PRIOR), Rule(PRIOR)
    for _ in range(5):
        rule.tell(0.0, True)
    rule.tell(4.0, True)
    plain.tell(4.0, True)
    assert rule.estimate().threshold == pytest.approx(plain.estimate().threshold, rel=1e-12)


def test_of_equally_good_levels_the_weaker_one_is_shown():
    rule = Rule(PRIOR)
    assert rule.choose([4.0, 4.0, 4.0]) == 0
    assert rule.choose([4.0 + 1e-13, 4.0]) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"lowest": 0, "highest": 2}, {"lowest": 3, "highest": 2}, {"lowest": 1, "highest": 2, "lapses": (0.1,)}],
)
def test_a_prior_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"positive|weight"):
        Prior(**wrong)
