"""The blind spot of a tidy table: the index, the safety factor, what is censored, and when nothing is said."""

import json

import numpy as np
import pandas as pd
import pytest

from study.design.seeing import FLIP, MIDDLE, World
from study.statistics.analysis import analyse
from study.statistics.table import check
from study.statistics.visibility.ladders import identical_pairs, predictors, visibility
from tests.study.readings import on_a_ladder


def seen(table: pd.DataFrame):
    found = visibility(check(table))
    assert len(found) == 1
    return found[0]


def test_the_planted_index_and_factor_lie_in_their_intervals():
    found = seen(on_a_ladder(readers=5, patches=30))
    assert found.threshold_ci95[0] < MIDDLE < found.threshold_ci95[1]
    assert found.index_ci95[0] < World().index() < found.index_ci95[1]
    assert found.factor_ci95[0] < MIDDLE / FLIP < found.factor_ci95[1]
    assert not found.reasons
    assert (found.readers, found.patches, found.answers, found.flips) == (5, 30, 1200, 30)
    assert [row.reader for row in found.per_reader] == ["R1", "R2", "R3", "R4", "R5"]


def test_a_model_that_flips_far_below_or_above_what_is_seen_has_an_index_of_one_or_none():
    table = on_a_ladder(readers=3, patches=15)
    assert seen(table.assign(flip=0.05)).index > 0.99
    assert seen(table.assign(flip=500.0)).index < 0.01
    assert seen(table.assign(flip=500.0)).index_ci95[1] > 0.1  # fifteen patches cannot show that there is none


def test_a_patch_without_a_flip_counts_as_one_that_never_flips():
    table = on_a_ladder(readers=3, patches=20)
    never = table["patch_id"].isin(["p000", "p001", "p002", "p003", "p004"])
    some = seen(table.assign(flip=table["flip"].mask(never), flip_limit=np.where(never, 45.0, np.nan)))
    above = seen(table.assign(flip=table["flip"].mask(never, 1e6)))
    assert some.flips == 15
    assert some.index == pytest.approx(above.index, abs=0.03)
    assert some.factor == pytest.approx(above.factor, rel=0.1)
    assert some.index < seen(table).index - 0.1


def test_the_factor_is_withheld_where_most_flips_were_not_found():
    table = on_a_ladder(readers=3, patches=20)
    never = table["patch_id"] >= "p008"
    found = seen(table.assign(flip=table["flip"].mask(never), flip_limit=np.where(never, 45.0, np.nan)))
    assert found.index < 0.5
    assert found.factor is None and found.factor_ci95 is None
    assert found.reasons["factor"].startswith("no flip was found on 12 of 20 patches")


@pytest.mark.parametrize(
    ("table", "name", "why"),
    [
        (on_a_ladder(patches=9), "threshold", "9 patches; at least 10"),
        (on_a_ladder(trials=29, patches=12), "threshold", "reader R1 answered 29 pairs"),
        (on_a_ladder().query("level < 3"), "threshold", "at least 3 are needed|above the strongest"),
        (on_a_ladder(flip=False), "index", "nobody looked for one"),
        (on_a_ladder(patches=20, group=[f"s{i % 6}" for i in range(480)]), "threshold_ci95", "6 slides or patients"),
    ],
)
def test_what_cannot_be_said_is_none_with_its_reason(table, name, why):
    if "group" in table:
        table["group"] = "s" + (table["patch_id"].str[1:].astype(int) % 6).astype(str)
    found = seen(table)
    assert getattr(found, name) is None
    assert pd.Series([found.reasons[name]]).str.contains(why).all()
    if name == "threshold_ci95":  # and no band is drawn where there is no interval
        assert set(map(tuple, found.curves["band"])) == {(None, None)}


def test_thresholds_that_nobody_was_shown_are_not_given():
    table = on_a_ladder(readers=3, patches=15)
    rng = np.random.default_rng(0)
    found = seen(table.assign(label=rng.integers(0, 2, len(table))))  # nobody sees anything
    assert found.threshold is None and found.index is None
    assert "even where the change was largest" in found.reasons["threshold"]


def test_a_threshold_beyond_what_was_shown_is_not_given():
    table = on_a_ladder(readers=3, patches=15)
    found = seen(table.query("level > 12"))
    assert found.threshold is None
    assert "below the weakest change" in found.reasons["threshold"]


def test_attacks_noise_and_models_each_have_their_row():
    table = pd.concat([
        on_a_ladder(patches=12), on_a_ladder(patches=12, ladder="noise", seed=1, arm="pair-noise"),
        on_a_ladder(patches=12, ladder="perturbed-2", seed=2, arm="pair-2", classifier_id="7"),
    ])  # fmt: skip
    found = visibility(check(table))
    assert [(one.ladder, one.classifier) for one in found] == [("perturbed", ""), ("noise", ""), ("perturbed-2", "7")]


def test_measures_beside_the_norm_follow_the_levels():
    found = seen(on_a_ladder(readers=3, patches=15, seed=4))
    by_name = {row.measure: row for row in found.measures}
    assert by_name["linf"].threshold == pytest.approx(4 * by_name["l2"].threshold, rel=1e-6)
    assert by_name["linf"].factor == pytest.approx(by_name["l2"].factor, rel=1e-6)


def test_a_measure_that_is_known_of_few_answers_is_not_ranked_and_takes_no_answers_from_the_others():
    table = check(on_a_ladder(readers=3, patches=15, seed=4))
    first = table["reader_id"] == "R1"
    without = predictors(table.assign(cvvdp_loss=table["level"].where(first)))
    assert {row.measure for row in without} == {"l2", "linf"} and without[0].answers == len(table)
    ranked = predictors(table.assign(cvvdp_loss=table["level"].where(~first)))
    assert {row.measure for row in ranked} == {"l2", "linf", "cvvdp_loss"} and ranked[0].answers == (~first).sum()


def test_identical_pairs_tell_the_habit_of_side_and_are_no_readings_of_a_ladder():
    table = on_a_ladder(readers=2, patches=12)
    same = table.head(6).assign(arm="pair-original", level=0.0, ladder=None, flip=np.nan, truth=0, label=1)
    checked = check(pd.concat([table, same], ignore_index=True))
    assert identical_pairs(checked) == [{"reader": "R1", "second": 6, "n": 6}]
    assert seen(table).answers == visibility(checked)[0].answers


def test_a_level_may_come_back_in_a_set_and_the_analysis_is_plain_numbers():
    table = on_a_ladder(readers=3, patches=12, trials=36)
    assert table.duplicated(["reader_id", "set", "patch_id", "arm"]).any()
    document = json.loads(json.dumps(analyse(table).to_json()))
    assert document["visibility"][0]["index"] is not None
    assert [row["measure"] for row in document["predictors"]] in (["l2", "linf"], ["linf", "l2"])
    assert document["detection"]["pair_comparison"] is None  # a share over all sizes would mean nothing
    assert not any("No positives" in warning for warning in document["warnings"])


def test_sides_of_pairs_are_not_counted_as_slides_with_and_without_tumour():
    table = on_a_ladder(readers=3, patches=20)
    table["group"] = "slide " + table["patch_id"].str[-1]
    assert analyse(table).groups == {}
