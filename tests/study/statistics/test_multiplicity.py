"""Several comparisons: Holm against statsmodels, claims after it, which arms are compared."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from study.statistics.comparisons import comparisons
from study.statistics.multiplicity import Evidence, holm, holm_over_arms


@pytest.mark.parametrize("seed", range(3))
def test_holm_agrees_with_statsmodels(seed):
    p = np.random.default_rng(seed).random(6) ** 3
    found = holm({str(i): float(value) for i, value in enumerate(p)})
    assert list(found.values()) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15)


def test_a_comparison_that_could_not_be_made_does_not_count():
    assert holm({"noise": 0.02, "catch": None}) == {"noise": 0.02, "catch": None}


def test_claims_over_four_arms_need_more_than_over_one():
    """p .02 claims non-inferiority alone, and not beside three arms that show nothing."""
    shown, other = Evidence(0.9, 0.02, 0.02), Evidence(0.9, 0.4, 0.4)
    assert holm_over_arms({"noise": shown}, 0.025)["noise"].verdict == "equivalent"
    four = holm_over_arms({"noise": shown, "a": other, "b": other, "c": other}, 0.025)
    assert four["noise"].verdict == "inconclusive"
    assert four["noise"].non_inferiority_p == pytest.approx(0.08)


def test_claims_have_the_names_of_the_verdict():
    arms = {
        "equivalent": Evidence(0.9, 1e-4, 1e-4),
        "non_inferior": Evidence(0.04, 1e-4, 0.5),
        "different": Evidence(1e-6, 0.99, 1e-6),
        "inconclusive": Evidence(0.9, 0.3, 0.3),
    }
    assert {arm: found.verdict for arm, found in holm_over_arms(arms, 0.025).items()} == {arm: arm for arm in arms}
    assert holm_over_arms({"noise": Evidence(None)}, 0.025)["noise"].verdict is None
    assert holm_over_arms({"noise": Evidence(0.01)}, 0.025)["noise"].verdict == "different"


def test_every_other_arm_is_a_control_and_noise_is_met_once_more():
    found = comparisons(["original", "perturbed", "noise", "universal", "pair"], "perturbed")
    assert [(one.name, one.kind) for one in found] == [
        ("perturbed", "primary"), ("noise", "control"), ("universal", "control"), ("perturbed against noise", "noise"),
    ]  # fmt: skip
    assert found[-1].reference == "noise"


def test_noise_of_the_same_budget_is_the_match():
    arms = ["original", "perturbed-l2-4", "noise-l2-4", "noise-l2-8"]
    assert [one.reference for one in comparisons(arms, "perturbed-l2-4") if one.kind == "noise"] == ["noise-l2-4"]
    assert comparisons(["pair"], "perturbed") == []
