"""The whole analysis: its keys, its verdicts, and tables that are out of the ordinary."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from study.statistics.analysis import analyse
from study.statistics.paired import tango
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
    assert found["primary"]["ci"] == row["tango_ci95"] == pytest.approx(tango(3, 1, 20))
    assert found["table_1b"] == [
        {"reader": "R1", "set": 1, "original": {"tp": 18, "n": 20}, "perturbed": {"tp": 16, "n": 20}}
    ]
    assert found["intra_reader"] is None
    assert found["inter_reader"] is None


@pytest.mark.parametrize(
    ("interval", "margin", "said"),
    [
        ((-0.05, 0.05), 0.10, "equivalent"),
        ((-0.08, -0.01), 0.10, "equivalent"),
        ((-0.10, 0.05), 0.10, "inconclusive"),
        ((-0.05, 0.12), 0.10, "non_inferior"),
        ((0.02, 0.30), 0.10, "non_inferior"),
        ((-0.30, -0.02), 0.10, "different"),
        ((-0.30, 0.02), 0.10, "inconclusive"),
        ((-0.30, -0.02), None, "different"),
        ((-0.01, 0.01), None, "inconclusive"),
    ],
)
def test_verdicts(interval, margin, said):
    assert verdict(interval, margin) == said
    assert state(0.0, interval, margin, 0.95, "true positive fraction")


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
    table = simulate(readers=1, patches=20)
    assert (
        document(table, alpha=0.05, margin=0.2)["primary"]["ci"] == document(table)["per_reader"][0]["tango_neff_ci90"]
    )


def test_the_verdict_goes_by_the_wider_of_the_two_crossed_intervals():
    for seed in range(6):
        found = document(simulate(readers=5, patches=20, seed=seed), margin=0.1)
        crossed, primary = found["crossed"], found["primary"]
        width = [high - low for low, high in (primary["ci"], crossed["ci95"], crossed["fixed_readers"]["ci95"])]
        assert width[0] == pytest.approx(max(width))
        assert primary["verdict"] == verdict(tuple(primary["ci"]), 0.1)


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize(("right", "delta"), [((1, 1), 0), ((0, 0), 0), ((1, 0), -1), ((0, 1), 1)])
def test_perfect_data_have_an_interval_with_width(readers, right, delta):
    found = document(simulate(readers=readers, patches=20, right=right), margin=0.1)
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
    assert any("fewer than 2 complete sets" in warning for warning in found["warnings"])
    assert found["flow"]["presentations"]["unanswered"] == 2
    assert found["sensitivity"]["missing_as_wrong"]["delta"] is not None
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
    noise = table[table["arm"] == "original"].assign(arm="noise")
    found = document(pd.concat([table, noise, *extra]))
    assert found["controls"]["noise"]["primary"]["delta"] == 0
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


def test_few_patches_and_a_claim_are_warned_of():
    found = document(simulate(readers=4, patches=15, right=(1, 1)).assign(), margin=0.25)
    assert found["primary"]["verdict"] == "equivalent"
    assert not any("few for this claim" in warning for warning in found["warnings"])  # 0.75^15 = 1.3 %
    found = document(simulate(readers=4, patches=10, right=(1, 1)), margin=0.30)
    assert any("few for this claim" in warning for warning in found["warnings"])  # 0.70^10 = 2.8 %


def test_margin_and_alpha_are_checked():
    for wrong in ({"margin": 10}, {"margin": 0}, {"alpha": 0.6}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            analyse(simulate(readers=1), **wrong)
