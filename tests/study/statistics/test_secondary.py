"""The secondary questions, each from a tidy table: which rows count, what is a unit, what a crossover changes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.statistics import secondary
from study.statistics.analysis import analyse
from study.statistics.detection import forced_choice, repeated_choice
from study.statistics.readings import crossover, reading
from study.statistics.table import check
from study.statistics.times import response_time
from tests.study.readings import simulate


def twin_split(readers=4, patches=20, sets=2, right=(0.9, 0.8), seed=0) -> pd.DataFrame:
    """Each set shows a patch in one arm, crossed over in the next; half of the patches begin with the original."""
    table = simulate(readers, patches, sets, right=right, seed=seed)
    number = table["patch_id"].str[1:].astype(int) + table["reader_id"].str[1:].astype(int)
    shown = np.where((table["set"] + number) % 2 == 0, "original", "perturbed")
    return check(table[table["arm"] == shown])


def with_times(table: pd.DataFrame, ratio=1.2, learning=0.0, seed=1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ease = dict(zip(sorted(set(table["patch_id"])), rng.normal(0, 0.3, table["patch_id"].nunique())))
    log_ms = 8 + table["patch_id"].map(ease) + np.log(ratio) * (table["arm"] != "original")
    return table.assign(rt_ms=np.exp(log_ms - learning * (table["set"] - 1) + rng.normal(0, 0.1, len(table))))


def test_a_crossover_is_told_from_the_table():
    assert crossover(twin_split())
    assert not crossover(check(simulate()))
    assert not crossover(check(simulate().query("arm == 'original'")))


def test_in_a_crossover_the_second_reading_of_a_stimulus_lies_two_sets_on():
    table = twin_split(sets=4)
    first = table[(table["reader_id"] == "R1") & (table["patch_id"] == "p000") & (table["arm"] == "original")]
    assert list(zip(first["set"], reading(table)[first.index])) in ([(1, 1), (3, 2)], [(2, 1), (4, 2)])


def test_times_of_a_complete_study_are_the_means_of_the_sets_differences():
    table = check(with_times(simulate(readers=3, patches=12)))
    found = secondary.times(table, [])
    log_ms = np.log(table["rt_ms"]).groupby([table["arm"]]).mean()
    assert found.ratio == pytest.approx(np.exp(log_ms["perturbed"] - log_ms["original"]), abs=1e-12)
    assert (found.readers, found.units, found.wilcoxon_p) == (3, 12, None)


def test_a_presentation_without_an_answer_has_no_time():
    """It used to count, and `-64 answers have no response time` was printed."""
    table = check(with_times(simulate(readers=2, patches=12)))
    silent = table.index[::3]
    blank = table.assign(label=table["label"].where(~table.index.isin(silent)))
    warnings: list[str] = []
    found = secondary.times(blank, warnings)
    assert warnings == []
    assert found.ratio == pytest.approx(secondary.times(table.drop(index=silent), []).ratio, abs=1e-12)
    secondary.times(table.assign(rt_ms=table["rt_ms"].where(table.index > 3)), warnings)
    assert warnings == ["4 answers have no response time above zero and are left out of the times."]


def test_times_in_a_crossover_are_free_of_what_readers_learn_between_sets():
    slow = secondary.times(with_times(twin_split()), [])
    fast = secondary.times(with_times(twin_split(), learning=0.5), [])
    assert fast.ratio == pytest.approx(slow.ratio, rel=1e-9)
    assert fast.ci95 == pytest.approx(slow.ci95, rel=1e-9)
    assert slow.ci95[0] < 1.2 < slow.ci95[1]
    assert slow.patches == 20


def test_times_of_one_patch_say_why_they_have_no_interval():
    found = response_time(
        np.array([1000.0, 1100]), np.array([1200.0, 1000]), np.array(["p", "p"]), np.array(["A", "B"])
    )
    assert found.p is None
    assert "one patch or slide only" in found.reason


def test_patches_of_one_slide_are_one_unit_of_the_times():
    table = check(with_times(simulate(readers=2, patches=12)).assign(group=lambda t: t["patch_id"].str[-1:]))
    found = secondary.times(table, [])
    assert found.units == table["group"].nunique() == 10
    assert "slides" in found.method


def test_each_image_read_once_leaves_nothing_to_compare_and_says_so():
    found = analyse(twin_split())
    assert found.intra_reader is None
    assert any("read each image once" in warning for warning in found.warnings)
    assert not any("read each image once" in warning for warning in analyse(simulate()).warnings)


def test_in_a_crossover_of_four_sets_the_two_readings_of_a_stimulus_are_compared():
    table = twin_split(readers=2, patches=10, sets=4)
    found = secondary.intra_reader(table)
    assert found["original"].n == 20
    assert found["original"].raters == 2
    label = table[table["arm"] == "original"].sort_values("set").groupby(["reader_id", "patch_id"])["label"]
    assert found["original"].percent_agreement == pytest.approx((label.first() == label.last()).mean())


def test_readers_of_a_crossover_are_compared_on_the_same_image():
    """Half of them met it in set 1, the others in set 2."""
    overall, per_arm = secondary.inter_reader(twin_split(readers=4, patches=10))
    assert (overall.n, overall.raters) == (20, 4)
    assert per_arm["perturbed"].n == 10


def altered_table(said, readers=5, patches=20):
    """``said`` (readers, patches, arms): P(yes)."""
    rng = np.random.default_rng(3)
    reader, patch, arm = (axis.ravel() for axis in np.indices((readers, patches, 2)))
    table = pd.DataFrame({"reader_id": [f"R{i}" for i in reader], "patch_id": [f"p{i}" for i in patch], "set": 1,
                          "arm": np.where(arm, "perturbed", "original"), "truth": 1, "label": 1})  # fmt: skip
    return check(table.assign(perturbed_response=(rng.random(len(table)) < said[reader, patch, arm]).astype(int)))


def test_a_habit_of_saying_yes_is_told_from_sight():
    habit = np.broadcast_to(np.array([0.9, 0.85, 0.8, 0.9, 0.8])[:, None, None], (5, 20, 2))
    found = secondary.altered(altered_table(habit))
    assert found["bang"]["perturbed"].index > 0.5 > -0.5 > found["bang"]["original"].index
    assert found["bias"].ci95[0] > 0.2
    assert found["sight"].ci95[0] < 0 < found["sight"].ci95[1]
    seen = np.broadcast_to(np.array([0.1, 0.9]), (5, 20, 2))
    found = secondary.altered(altered_table(seen))
    assert found["sight"].ci95[0] > 0.5
    assert found["bias"].ci95[0] < 0 < found["bias"].ci95[1]


def test_sight_is_the_mean_of_the_two_arms_indices_and_the_shares_are_plain():
    found = secondary.altered(altered_table(np.full((5, 20, 2), 0.5)))
    bang, said = found["bang"], found["said"]
    assert found["sight"].mean == pytest.approx((bang["original"].index + bang["perturbed"].index) / 2)
    assert bang["perturbed"].index == pytest.approx(2 * said["perturbed"].mean - 1)
    table = altered_table(np.full((5, 20, 2), 0.5))
    expected = table.groupby("arm")["perturbed_response"].mean()
    assert said["original"].mean == pytest.approx(expected["original"])


def test_the_spread_of_readers_widens_bangs_interval():
    """Half of the readers always say yes, half never: five persons, not two hundred answers."""
    said = np.zeros((6, 20, 2))
    said[:3] = 1
    low, high = secondary.altered(altered_table(said, readers=6))["bang"]["perturbed"].ci95
    assert (low, high) == (-1, 1)


def test_a_forced_choice_of_pairs_shown_once_is_exact():
    right = np.array([1] * 15 + [0] * 5)
    assert repeated_choice(right, np.arange(20)) == forced_choice(15, 20)


def test_a_steady_preference_is_counted_once_per_pair():
    """The same answer in all four sets: p, upper bound and interval of 20 pairs, not of 80 comparisons."""
    right, unit = np.tile([1] * 14 + [0] * 6, 4), np.tile(np.arange(20), 4)
    found, once = repeated_choice(right, unit), forced_choice(14, 20)
    assert (found.correct, found.n, found.units) == (56, 80, 20)
    assert found.exact_p == pytest.approx(once.exact_p, abs=1e-12)
    assert found.upper95 >= once.upper95 - 0.02
    assert forced_choice(56, 80).exact_p < 0.001 < 0.05 < found.exact_p
    wrong = repeated_choice(1 - right, unit)
    assert wrong.exact_p == pytest.approx(stats.binomtest(6, 20, alternative="greater").pvalue, abs=1e-12)


def test_a_forced_choice_that_is_always_right_has_a_bound_of_its_pairs():
    found = repeated_choice(np.ones(80, int), np.tile(np.arange(20), 4))
    assert found.exact_p == pytest.approx(0.5**20)
    assert found.ci95[0] < forced_choice(80, 80).ci95[0]
    assert found.ci95[1] == 1


def test_a_preference_shared_by_readers_is_no_sight():
    """Five readers who all like the same 14 of 20 pairs: over readers alone they would be beyond any doubt."""
    rows = [(f"R{r}", 1, f"p{i}", "pair", 1, int(i < 14)) for r in range(5) for i in range(20)]
    table = pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "label"])
    found = secondary.pair_comparison(check(table))
    assert found["mean_proportion"].mean == pytest.approx(0.7)
    assert found["mean_proportion"].p > 0.05
    assert found["per_reader"][0]["value"].n == 20


def test_a_threshold_of_pooled_readers_has_no_interval_and_says_why():
    rng = np.random.default_rng(2)
    rows = [
        (f"R{r}", 1, f"p{i}-{budget}", "perturbed", 1, int(rng.random() < 0.98 / (1 + (budget / 4) ** 2)), budget)
        for r in range(2) for budget in (1, 2, 4, 8, 16) for i in range(40)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "label", "budget"])
    found = secondary.curves(check(table))["labelling"]
    assert found["pooled"].threshold == pytest.approx(4, rel=0.3)
    assert found["pooled"].ci95 is None
    assert "pooled" in found["pooled"].reason
    assert found["per_reader"][0]["value"].ci95 is not None
    alone = secondary.curves(check(table[table["reader_id"] == "R0"]))["labelling"]["pooled"]
    assert alone.ci95 is not None
    assert alone.reason is None


def test_the_change_of_d_prime_is_the_mean_over_readers():
    table = check(simulate(readers=3, patches=15, negatives=15))
    found = secondary.negatives(table)
    values = {(row["reader"], row["arm"]): row["value"].d_prime for row in found["per_reader"]}
    change = [values[reader, "perturbed"] - values[reader, "original"] for reader in ("R1", "R2", "R3")]
    assert found["change"]["d_prime"].mean == pytest.approx(np.mean(change))
    low, high = stats.ttest_1samp(change, 0).confidence_interval()
    assert found["change"]["d_prime"].ci95[1] - found["change"]["d_prime"].ci95[0] >= (high - low) * (1 - 1e-9)
