"""The generated methods name every arm that readers saw, with its norm, budget and unit; a verdict names its margin."""

import pandas as pd
import pytest

from study.results.exports.methods import _amended, _screens, _stimuli
from study.results.exports.report import _headline
from study.statistics.secondary import display

ATTACK = {"name": "a", "norm": "linf", "budget": 8.0, "arm": "perturbed"}


def protocol(**source) -> dict:
    arms = ["original", "perturbed", *source.pop("controls", [])]
    return {"arms": arms, "source": {"classifier": {"arch": "resnet18"}, "attack": ATTACK, **source}}


def test_the_budget_has_its_norm_and_unit():
    assert "at most 8 in L∞ (0-255 units)" in _stimuli(protocol())
    assert "at most 3 % of the pixels (L0)" in _stimuli(protocol(attack={"norm": "l0", "budget": 0.03}))
    assert "an unconstrained perturbation" in _stimuli(protocol(attack={"norm": "none", "budget": None}))


def test_a_second_attack_noise_and_catch_images_are_named():
    plain = _stimuli(protocol())
    assert not any(word in plain for word in ("further", "noise", "catch"))
    text = _stimuli(
        protocol(
            further_attacks=[{"name": "b", "norm": "l2", "budget": 2.5, "arm": "perturbed-l2-2.5"}],
            controls=["catch", "noise", "perturbed-l2-2.5"],
            settings={"catch": 1},
        )
    )
    assert "A further arm (perturbed-l2-2.5) showed the same patches under a perturbation of at most 2.5 in L2" in text
    assert "A noise control showed them" in text
    assert "1 catch image bore an alteration" in text


def test_one_answer_is_not_answers():
    assert (_amended(0), _amended(1)) == ("0 answers had been amended", "1 answer had been amended")


def test_the_headline_says_the_margin_and_not_that_it_was_only_just_kept():
    primary = {"ci": [-0.02, 0.01], "verdict": "non_inferior", "margin": 0.1}
    assert _headline(primary, None, ladder=False) == "Non-inferior (margin 10 points)"
    assert _headline(primary | {"verdict": "different", "margin": None}, None, ladder=False) == "A difference was found"


def test_how_large_images_were_is_told_with_how_many_answers_were_measured():
    table = pd.DataFrame({"label": [1, 0, 1, None], "width_mm": [59.3, 61.0, None, 70.0]})
    shown = display(table)
    assert shown == {
        "answers": 3, "measured": 2, "width_mm": {"median": pytest.approx(60.15), "lowest": 59.3, "highest": 61.0},
    }  # fmt: skip
    said = _screens({"scale": 2, "size_mm": 60}, shown)
    assert "Images were to be 60 mm wide" in said and "(on other screens 2)" in said
    assert "60.1 mm wide (median; 59.3 to 61.0)" in said and "in 2 of 3 answers" in said


def test_an_unmeasured_screen_is_said_where_a_size_was_asked_for_and_only_there():
    unmeasured = display(pd.DataFrame({"label": [1, 0], "width_mm": [None, None]}))
    assert unmeasured is None and display(pd.DataFrame({"label": [1]})) is None
    assert "No screen was measured." in _screens({"scale": 2, "size_mm": 60}, None)
    assert _screens({"scale": 2}, None) == "An image pixel was drawn as 2 x 2 screen pixels, without smoothing."
    assert _screens({}, None) == ""
