"""The whole analysis: its keys, its verdicts, and tables that are out of the ordinary."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from core.proportions import tango
from study.statistics.analysis import analyse
from study.statistics.claims import limits_of_the_claim
from study.statistics.verdict import state, verdict
from tests.study.readings import from_cells, simulate

KEYS = {
    "n", "table_1b", "per_set", "per_reader", "primary", "intra_reader", "inter_reader", "detection", "response_time",
    "specificity", "model", "flow", "warnings",
}  # fmt: skip


def document(table, **kwargs):
    found = analyse(table, **kwargs).to_json()
    json.dumps(found, allow_nan=False)  # plain numbers only
    return found


def test_the_keys_that_others_rely_on():
    found = document(simulate(readers=3), margin=0.1)
    assert set(found) >= KEYS | {"crossed"}
    assert {"patches", "readers", "sets", "presentations"} <= set(found["n"])
    assert set(found["table_1b"][0]) == {"reader", "set", "original", "perturbed"}
    assert set(found["per_set"][0]) == {
        "reader", "set", "a", "b", "c", "d", "delta", "mcnemar_exact_p", "mcnemar_midp", "tango_ci95", "newcombe_ci95",
    }  # fmt: skip
    assert {"reader", "delta", "signflip_p", "vif", "n_eff", "tango_neff_ci95", "tango_neff_ci90", "obuchowski_p",
            "yang_p"} <= set(found["per_reader"][0])  # fmt: skip
    assert {"delta", "se", "df", "t", "p", "ci95", "ci90", "method", "fixed_readers"} <= set(found["crossed"])
    assert {"delta", "se", "ci95", "p"} <= set(found["crossed"]["fixed_readers"])
    assert {"method", "delta", "ci", "level", "margin", "verdict"} <= set(found["primary"])
    agreement = {"n", "percent_agreement", "wilson_ci95", "kappa", "ac1", "positive_agreement", "negative_agreement",
                 "fleiss_kappa", "alpha"}  # fmt: skip
    assert agreement <= set(found["intra_reader"]["original"])
    assert agreement <= set(found["inter_reader"])


def test_one_reader_one_set_is_the_2x2_table():
    found = document(from_cells(15, 3, 1, 1))
    assert "crossed" not in found
    row = found["per_set"][0]
    assert (row["a"], row["b"], row["c"], row["d"]) == (15, 3, 1, 1)
    assert row["tango_ci95"] == pytest.approx(tango(3, 1, 20))
    assert found["primary"]["p"] == row["mcnemar_exact_p"]
    assert found["table_1b"] == [
        {"reader": "R1", "set": 1, "original": {"tp": 18, "n": 20}, "perturbed": {"tp": 16, "n": 20}}
    ]
    assert found["intra_reader"] is None
    assert found["inter_reader"] is None


@pytest.mark.parametrize(
    ("interval", "margin", "p", "said"),
    [
        ((-0.05, 0.05), 0.10, 0.4, "equivalent"),
        ((-0.08, -0.01), 0.10, 0.01, "equivalent"),
        ((-0.10, 0.05), 0.10, 0.3, "inconclusive"),
        ((-0.05, 0.12), 0.10, 0.3, "non_inferior"),
        ((0.02, 0.30), 0.10, 0.01, "non_inferior"),
        ((-0.30, -0.02), 0.10, 0.04, "different"),
        ((-0.30, -0.02), 0.10, 0.0625, "inconclusive"),
        ((-0.30, 0.02), 0.10, 0.05, "different"),
        ((-0.30, -0.02), None, 0.02, "different"),
        ((-0.01, 0.01), None, 0.9, "inconclusive"),
    ],
)
def test_the_interval_answers_to_the_margin_and_p_to_zero(interval, margin, p, said):
    assert verdict(interval, margin, p) == said
    assert state(0.0, interval, margin, 0.95, "true positive fraction", p)


def test_the_forbidden_words_are_written_nowhere():
    """`no difference` and `imperceptible` are claims that no table of ours can carry."""
    root = Path(__file__).resolve().parents[3]
    written = [
        *root.glob("study/statistics/*.py"),
        *root.glob("study/results/**/*.py"),
        *root.glob("templates/study/**/*.html"),
    ]
    assert len(written) > 30
    for file in written:
        assert not re.search(r"no[\s-]+difference|imperceptible", file.read_text(), re.IGNORECASE), file


def test_the_level_follows_alpha():
    table = simulate(readers=3, patches=60)
    narrow, wide = (document(table, alpha=alpha, margin=0.2)["primary"] for alpha in (0.05, 0.025))
    assert (narrow["level"], wide["level"]) == (0.90, 0.95)
    assert wide["ci"][0] < narrow["ci"][0] < narrow["ci"][1] < wide["ci"][1]


@pytest.mark.parametrize("readers", [1, 4])
def test_verdict_p_values_and_interval_never_contradict_each_other(readers):
    for seed in range(12):
        primary = document(simulate(readers=readers, patches=25, seed=seed, right=(0.95, 0.80)), margin=0.2)["primary"]
        assert (primary["verdict"] == "different") == (primary["p"] <= 0.05 and primary["ci"][0] <= -0.2)
        assert (primary["p_non_inferior"] <= 0.025) == (primary["ci"][0] >= -0.2)
        assert (primary["p_equivalent"] <= 0.025) == (primary["verdict"] == "equivalent")


def test_more_errors_never_make_a_claim_easier():
    """Five readers, 20 patches, two sets: all right, and one answer of 400 wrong."""
    perfect = document(simulate(readers=5, patches=20, right=(1, 1)), margin=0.1)["primary"]
    table = simulate(readers=5, patches=20, right=(1, 1))
    table.loc[7, "label"] = 0
    one_wrong = document(table, margin=0.1)["primary"]
    assert perfect["verdict"] == one_wrong["verdict"] == "inconclusive"
    assert perfect["ci"][0] == pytest.approx(-0.163, abs=0.001)
    assert one_wrong["ci"][0] == pytest.approx(perfect["ci"][0], abs=0.01)


def test_the_smaller_p_of_random_and_fixed_readers_is_not_believed():
    for seed in range(6):
        found = document(simulate(readers=5, patches=20, seed=seed), margin=0.1)
        crossed, primary = found["crossed"], found["primary"]
        assert primary["p"] == pytest.approx(max(crossed["p"], crossed["fixed_readers"]["p"]))


def grouped(table, slides):
    return table.assign(group=table["patch_id"].map(lambda patch: f"slide {int(patch[1:]) % slides}"))


def test_one_patch_per_slide_is_the_same_as_no_slides():
    for readers in (1, 3):
        table = simulate(readers=readers, patches=30)
        plain, slides = document(table, margin=0.1), document(grouped(table, 30), margin=0.1)
        for name in ("delta", "ci", "p", "p_non_inferior"):
            assert slides["primary"][name] == pytest.approx(plain["primary"][name], abs=1e-10), name
        assert slides["primary"]["verdict"] == plain["primary"]["verdict"]
        assert slides["primary"]["unit"].startswith("30 patches from 30 slides")
        assert slides.get("crossed", {}).get("se") == pytest.approx(plain.get("crossed", {}).get("se"), abs=1e-10)


def test_what_whole_slides_share_widens_the_interval():
    table = simulate(readers=3, patches=40, right=(1, 1))
    lost = table["patch_id"].map(lambda patch: int(patch[1:]) % 12 == 0) & (table["arm"] == "perturbed")
    table.loc[lost, "label"] = 0  # all four patches of one slide of twelve
    by_patch, by_slide = (document(one, margin=0.3)["primary"]["ci"] for one in (table, grouped(table, 12)))
    assert by_slide[0] < by_patch[0] - 0.03


def test_fewer_than_ten_slides_give_estimates_and_no_verdict():
    table = grouped(simulate(readers=3, patches=40), 5)
    primary = document(table, margin=0.1)["primary"]
    assert primary["verdict"] is None
    assert primary["ci"] is not None
    assert "5 slides" in primary["withheld"]
    assert "No verdict" in primary["statement"]


@pytest.mark.parametrize("right", [(0.2, 0.2), (0.0, 0.0)])
def test_readers_who_see_no_tumours_get_no_verdict(right):
    found = document(simulate(readers=3, patches=60, right=right), margin=0.1)
    assert found["primary"]["verdict"] is None
    assert "70 %" in found["primary"]["withheld"]
    assert document(simulate(readers=3, patches=60, right=right), margin=0.1, floor_tpf=None)["primary"]["verdict"]


def test_who_always_answers_tumour_gets_no_verdict_where_there_are_negatives():
    table = simulate(readers=3, patches=60, negatives=60).assign(label=1)
    found = document(table, margin=0.1)
    assert found["primary"]["verdict"] is None
    assert "d′" in found["primary"]["withheld"]
    assert found["assay_sensitivity"]["tpf"] == 1.0
    only_positives = document(table[table["truth"] == 1], margin=0.1)
    assert only_positives["primary"]["verdict"] == "equivalent"
    assert any("Positives only" in warning for warning in only_positives["warnings"])


def test_an_answer_without_its_partner_counts_towards_the_estimate():
    """Two patches of one reader, one of them answered perturbed only: 1/1 against 1/2."""
    table = simulate(readers=2, patches=4, sets=1, right=(1, 1))
    wrong = (table["reader_id"] == "R1") & (table["arm"] == "perturbed") & (table["patch_id"] == "p000")
    alone = (table["reader_id"] == "R1") & (table["arm"] == "original") & (table["patch_id"] == "p000")
    table.loc[wrong, "label"], table.loc[alone, "label"] = 0, np.nan
    assert document(table)["primary"]["delta"] == pytest.approx((-1 / 4 + 0) / 2)


def test_a_crossover_is_analysed_over_its_sets():
    """A patch is shown in one arm per set: what is compared are the readings, not the sets."""
    table = simulate(readers=4, patches=20, sets=1, seed=3)
    first = table["patch_id"].map(lambda patch: int(patch[1:]) % 2)
    shown_in = np.where((table["arm"] == "original") == (first == 0), 1, 2)
    crossed, plain = document(table.assign(set=shown_in), margin=0.1), document(table, margin=0.1)
    assert crossed["primary"]["ci"] == pytest.approx(plain["primary"]["ci"])
    assert crossed["primary"]["p"] == pytest.approx(plain["primary"]["p"])
    assert [row["set"] for row in crossed["table_1b"] if row["reader"] == "R1"] == [1, 2]
    assert crossed["table_1b"][0]["original"]["n"] == 10
    assert [row["b"] for row in crossed["per_set"]] == [row["b"] for row in plain["per_set"]]


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize(("right", "delta"), [((1, 1), 0), ((0, 0), 0), ((1, 0), -1), ((0, 1), 1)])
def test_perfect_data_have_an_interval_with_width(readers, right, delta):
    found = document(simulate(readers=readers, patches=20, right=right), margin=0.1, floor_tpf=None)
    low, high = found["primary"]["ci"]
    assert found["primary"]["delta"] == delta
    assert -1 <= low <= delta <= high <= 1
    assert high - low > 0.1
    assert found["primary"]["verdict"] == (
        "inconclusive" if delta == 0 else "different" if delta < 0 else "non_inferior"
    )


def test_a_single_patch_gives_numbers_or_says_why_not():
    one = document(simulate(readers=1, patches=1))
    assert one["per_reader"][0]["n_eff"] == 1
    several = document(simulate(readers=3, patches=1))
    assert several["primary"]["ci"] is None
    assert any("two patches" in warning for warning in several["warnings"])


def test_a_reader_without_set_2_is_named_and_still_counts():
    table = simulate(readers=3, patches=12)
    short = table[~((table["reader_id"] == "R2") & (table["set"] == 2))]
    found = document(short)
    assert [row["set"] for row in found["table_1b"] if row["reader"] == "R2"] == [1]
    assert found["crossed"]["readers"] == 3
    # Nothing is missing inside any patch of R2, so that only the agreement between sets feels it.
    assert found["intra_reader"]["original"]["n"] == 24


def test_unequal_sets_and_half_pairs_are_named():
    table = simulate(readers=2, patches=8)
    table.loc[[0, 5], "label"] = np.nan
    found = document(table)
    assert any("Reader R1, set 1: 2 of the patches" in warning for warning in found["warnings"])
    assert any("2 of 64 presentations were not answered" in warning for warning in found["warnings"])
    assert found["flow"]["presentations"]["unanswered"] == 2
    assert found["sensitivity"]["tipping_point"]["missing"] == 2
    assert document(simulate(readers=2, patches=8))["sensitivity"]["tipping_point"] is None
    assert found["table_1b"][0]["original"]["n"] + found["table_1b"][0]["perturbed"]["n"] == 14


def test_a_reader_who_answered_nothing_stands_in_the_flow_alone():
    table = simulate(readers=2)
    table.loc[table["reader_id"] == "R2", "label"] = np.nan
    found = document(table, invited=4)
    assert found["n"]["readers"] == 1
    assert found["flow"]["readers"] == {"invited": 4, "started": 1, "finished": 1}
    assert any("R2 answered nothing" in warning for warning in found["warnings"])
    with pytest.raises(InvalidInput, match="none of 80 presentations has an answer"):
        analyse(table.assign(label=np.nan))


def test_flagged_answers_stay_in_the_primary_analysis_and_leave_the_per_protocol_one():
    table = simulate(readers=1, patches=20)
    table["excluded"] = (table["patch_id"] == "p000").astype(int)
    table["exclusion_reason"] = np.where(table["excluded"] == 1, "out of focus", None)
    found = document(table)
    assert (
        found["primary"]["delta"] == document(table.drop(columns=["excluded", "exclusion_reason"]))["primary"]["delta"]
    )
    without = document(table[table["excluded"] == 0])
    assert found["sensitivity"]["per_protocol"]["delta"] == without["primary"]["delta"]
    assert found["flow"]["flag_reasons"] == {"out of focus": 4}


def test_negatives_are_analysed_apart():
    found = document(simulate(readers=2, patches=10, negatives=10))
    assert (found["n"]["positives"], found["n"]["negatives"]) == (10, 10)
    assert found["specificity"]["table_1b"][0]["original"]["n"] == 10
    assert "specificity changed" in found["specificity"]["primary"]["statement"]
    assert found["table_1b"][0]["original"]["n"] == 10
    assert len(found["detection"]["negatives"]["per_reader"]) == 4


def test_a_shift_of_criterion_is_told_from_a_loss_of_sight():
    """Saying `tumour` less often to perturbed patches of both kinds moves c and leaves d' near."""
    rng = np.random.default_rng(0)

    def seen(patch, arm):
        return rng.normal(2.0 * (patch < 100)) > 1 + 0.8 * (arm != "original")

    rows = [
        ("R1", number, f"p{patch}", arm, int(patch < 100), int(seen(patch, arm)))
        for number in (1, 2) for patch in range(200) for arm in ("original", "perturbed")
    ]  # fmt: skip
    found = document(pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "label"]))
    original, perturbed = (row["value"] for row in found["detection"]["negatives"]["per_reader"])
    assert perturbed["criterion"] - original["criterion"] > 0.5
    assert abs(perturbed["d_prime"] - original["d_prime"]) < 0.4


def test_the_model_is_shown_under_its_banner():
    table = simulate(readers=1)
    table["model_label"] = (table["arm"] == "original").astype(int)
    found = document(table, model={"table_1a": {"accuracy": {"mean": 0.9, "sd": 0.01}}})
    assert found["model"]["original"] == {"tp": 10, "n": 10}
    assert found["model"]["perturbed"] == {"tp": 0, "n": 10}
    assert "not evidence" in found["model"]["banner"]
    assert found["model"]["table_1a"]["accuracy"]["mean"] == 0.9


def test_controls_and_budgets_are_analysed_against_the_original():
    table = simulate(readers=2, patches=12)
    extra = [
        table[table["arm"] == "perturbed"].assign(arm=f"perturbed-l2-{budget}", budget=budget, norm="l2", label=label)
        for budget, label in ((1, 1), (4, [1, 0] * 24), (16, 0))
    ]
    noise, natural = (table[table["arm"] == "original"].assign(arm=arm) for arm in ("noise", "natural-random"))
    worst = natural.assign(arm="natural-worst", label=0)
    found = document(pd.concat([table, noise, natural, worst, *extra]))
    assert (
        found["controls"]["noise"]["primary"]["delta"] == found["controls"]["natural-random"]["primary"]["delta"] == 0
    )
    assert all(row["perturbed"]["tp"] == 0 for row in found["controls"]["natural-worst"]["table_1b"])
    assert found["perturbed_arm"] == "perturbed"
    assert found["psychometric"]["labelling l2"]["pooled"]["threshold"] == pytest.approx(4, rel=0.5)
    several = pd.concat([table[table["arm"] == "original"], *extra])
    with pytest.raises(InvalidInput, match="several perturbed arms"):
        analyse(several)
    assert document(several, perturbed_arm="perturbed-l2-1")["perturbed_arm"] == "perturbed-l2-1"


def test_pair_comparison_alone_is_analysed():
    table = simulate(readers=2, patches=20, right=(1, 0.7)).query("arm == 'perturbed'").assign(arm="pair")
    found = document(table)
    assert found["primary"]["verdict"] is None
    assert found["detection"]["pair_comparison"]["per_reader"][0]["value"]["n"] == 40


def test_few_slides_and_a_claim_are_warned_of():
    table = simulate(readers=4, patches=96, right=(1, 1))
    found = document(grouped(table, 12), margin=0.10)
    assert found["primary"]["verdict"] == "equivalent"
    assert any("12 slides or patients are few for this claim" in warning for warning in found["warnings"])  # 0.9^12
    primary = SimpleNamespace(margin=0.1, verdict="non_inferior", units=20, patches=20)
    (said,) = limits_of_the_claim(SimpleNamespace(primary=primary), 1, 0.025)
    assert "20 patches are few for this claim: if 10 of 100 patches were lost" in said and "slide" not in said
    found = document(grouped(table, 48), margin=0.10)
    assert not any("few for this claim" in warning for warning in found["warnings"])  # 0.9^48 = 0.6 %


def test_the_groups_of_each_class_are_counted_and_fewer_than_five_are_warned_of():
    def told(table):
        found = document(table, margin=0.10)
        return found["groups"], [warning for warning in found["warnings"] if warning.startswith("Cases: only")]

    positive = simulate(readers=2, patches=40)
    both = pd.concat([positive, positive.assign(truth=0)], ignore_index=True)
    both.loc[both["truth"] == 0, "patch_id"] = "n" + both["patch_id"].str[1:]
    assert told(both) == ({}, [])
    assert told(grouped(both, 20)) == ({"tumour": 20, "no_tumour": 20}, [])
    few = grouped(both, 20)
    few.loc[few["truth"] == 0, "group"] = few["patch_id"].map(lambda patch: f"slide {int(patch[1:]) % 4}")
    counts, [warning] = told(few)
    assert counts == {"tumour": 20, "no_tumour": 4} and "only 4 groups without tumour" in warning
    few.loc[few["patch_id"] == few["patch_id"].max(), "group"] = ""
    assert told(few) == ({}, []), "of a patch without a group nobody knows whose it is"


def test_margin_and_alpha_are_checked():
    for wrong in ({"margin": 10}, {"margin": 0}, {"alpha": 0.6}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            analyse(simulate(readers=1), **wrong)


def test_further_arms_are_corrected_for_their_number_and_perturbed_is_held_against_noise():
    table = simulate(readers=4, patches=60, right=(0.97, 0.80), seed=2)
    weaker = table[table["arm"] == "perturbed"].assign(arm="perturbed-l2")
    noise = table[table["arm"] == "original"].assign(arm="noise")
    found = document(pd.concat([table, weaker, noise]), margin=0.1, perturbed_arm="perturbed")
    assert set(found["controls"]) == {"perturbed-l2", "noise"}
    assert set(found["against_noise"]) == {"perturbed against noise"}
    against = found["against_noise"]["perturbed against noise"]["primary"]
    assert against["delta"] == pytest.approx(found["primary"]["delta"])
    assert against["p_holm"] == pytest.approx(min(1, 3 * against["p"]), rel=1e-9) or against["p_holm"] >= against["p"]
    assert "3 comparisons (Holm)" in against["statement"]
    assert found["primary"]["p_holm"] is None


def test_the_order_of_the_arms_stands_beside_the_estimate():
    table = simulate(readers=4, patches=20, sets=1, seed=3)
    first = table["patch_id"].map(lambda patch: int(patch[1:]) % 2)
    shown_in = np.where((table["arm"] == "original") == (first == 0), 1, 2)
    order = document(table.assign(set=shown_in, position=1), margin=0.1)["order"]
    assert order["design"] == "crossover"
    assert order["first_exposure"]["ci95"] is not None
    assert order["carry_over"]["p"] is not None
