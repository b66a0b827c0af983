"""What the order of reading does: first meetings, carry-over and period, and the course along the positions."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.lib import order_effects as simulation
from study.statistics.order import order_effects
from study.statistics.table import check
from study.statistics.units import FEWEST_GROUPS

ARMS = ("original", "perturbed")


def reading(
    readers=4, patches=24, sets=2, schedule="paper", right=(0.9, 0.9), recognised=0.0, drift=0.0, seed=0, groups=0
) -> pd.DataFrame:
    """A checked table: P(correct) in the two arms, less ``drift`` per 100 positions; a recognised twin is answered as
    before."""
    rng = np.random.default_rng(seed)
    rows = []
    for reader in range(readers):
        earlier: dict[int, bool] = {}
        halves = rng.permutation(patches) < patches // 2
        for number in range(1, sets + 1):
            if schedule == "paper":
                shown = [(patch, arm) for patch in range(patches) for arm in (0, 1)]
            else:
                shown = [(patch, int(halves[patch]) ^ (number % 2)) for patch in range(patches)]
            for position, index in enumerate(rng.permutation(len(shown)), start=1):
                patch, arm = shown[index]
                correct = bool(rng.random() < right[arm] + drift * position / 100)
                if patch in earlier and rng.random() < recognised:
                    correct = earlier[patch]
                earlier[patch] = correct
                slide = f"s{patch % groups}" if groups else ""
                rows.append((f"R{reader}", number, position, f"p{patch:03d}", slide, ARMS[arm], 1, int(correct)))
    columns = ["reader_id", "set", "position", "patch_id", "group", "arm", "truth", "label"]
    return check(pd.DataFrame(rows, columns=columns))


def first_by_hand(table: pd.DataFrame) -> float:
    """The mean over readers of (correct perturbed - correct original), counting a patch's first meeting alone."""
    first = table.sort_values(["set", "position"]).drop_duplicates(["reader_id", "patch_id"])
    rate = first.groupby(["reader_id", "arm"])["correct"].mean().unstack()
    return float((rate["perturbed"] - rate["original"]).mean())


@pytest.mark.parametrize("schedule", ["paper", "twin-split"])
def test_first_meetings_alone_make_the_first_estimate_under_either_schedule(schedule):
    table = reading(schedule=schedule, right=(0.9, 0.7))
    found = order_effects(table)
    assert found.first_exposure.estimate == pytest.approx(first_by_hand(table))
    assert found.design == ("crossover" if schedule == "twin-split" else "both arms of a patch in one set")
    rate = table.groupby(["reader_id", "arm"])["correct"].mean().unstack()
    assert found.all_answers.estimate == pytest.approx((rate["perturbed"] - rate["original"]).mean())
    assert (found.first_exposure.readers, found.first_exposure.units, found.first_exposure.answers) == (4, 24, 96)
    low, high = found.first_exposure.ci95
    assert low < found.first_exposure.estimate < high and 0 < found.first_exposure.p < 1


def test_the_order_of_the_rows_does_not_matter():
    table = reading(right=(0.9, 0.7))
    assert order_effects(table.sample(frac=1, random_state=3)) == order_effects(table)


def test_one_study_is_judged_as_the_simulation_judges_many():
    """The rates that the benchmark shows are those of what is printed."""
    table = reading(readers=3, patches=20, right=(0.8, 0.7), schedule="twin-split", groups=10)
    found = order_effects(table)
    n, right = np.zeros((1, 10, 3, 8)), np.zeros((1, 10, 3, 8))
    seen: dict[tuple, str] = {}
    for row in table.sort_values(["set", "position"]).itertuples():
        reader, slide, arm = int(row.reader_id[1:]), int(row.group[1:]), ARMS.index(row.arm)
        first = seen.setdefault((row.reader_id, row.patch_id), row.arm)
        cells = [2 + arm, 4 + 2 * ARMS.index(first) + arm] + ([arm] if first == row.arm else [])
        for cell in cells:
            n[0, slide, reader, cell] += 1
            right[0, slide, reader, cell] += row.correct
    for name in simulation.CONTRASTS:
        low, high = (float(end[0]) for end in simulation.judged(simulation.Cells(n, right), name))
        effect = getattr(found, name)
        assert effect.ci95 == pytest.approx((low, high)), name


def test_intervals_from_first_meetings_cover_where_readers_recognise_patches_and_all_answers_do_not():
    """Few runs of one cell of the benchmark: 5 readers, 40 patches, half of the twins recognised."""
    rng = np.random.default_rng(5)
    study = simulation.draw(rng, 400, (5, 40, 40), (0.9, -0.1), simulation.SHARES["moderate"], 0.5, "paper")
    covered = {}
    for name in ("first_exposure", "all_answers"):
        low, high = simulation.judged(study, name)
        covered[name] = np.mean((low <= -0.1) & (high >= -0.1))
    assert covered["first_exposure"] > 0.93
    assert covered["all_answers"] < 0.6


def test_no_order_effect_is_announced_too_often_where_there_is_none():
    rng = np.random.default_rng(6)
    study = simulation.draw(rng, 1000, (5, 40, 40), (0.9, -0.1), simulation.SHARES["moderate"], 0.0, "paper")
    for name in ("first_less_all", "carry_over", "period"):
        low, high = simulation.judged(study, name)
        assert np.mean((low > 0) | (high < 0)) < 0.065, name


def test_the_benchmark_has_a_row_for_each_of_its_cells_with_errors(monkeypatch):
    monkeypatch.setattr(simulation, "DESIGNS", ((3, 20, 10), (2, 20, 20)))
    rows = simulation.cells(replications=50, seed=1)
    assert len(rows) == 2 * (1 + 4) * 4  # schedules, spreads (slides alone where there are any), truths and recognised
    assert all(row["covered"] > 0.8 and 0 <= row["covered_error"] < 0.08 for row in rows)
    slopes = simulation.course_cells(replications=50, seed=1)
    assert len(slopes) == 5 * 2 and all(row["original"] > 0.8 < row["difference"] for row in slopes)


def test_with_one_patch_per_group_groups_change_nothing_and_with_several_they_widen_the_unit():
    alone, split = reading(groups=0, right=(0.9, 0.7)), reading(groups=24, right=(0.9, 0.7))
    one, other = (order_effects(table).first_exposure for table in (alone, split))
    assert (one.estimate, *one.ci95, one.p) == pytest.approx((other.estimate, *other.ci95, other.p), abs=1e-12)
    slides = order_effects(reading(groups=12, right=(0.9, 0.7)))
    assert (slides.unit, slides.first_exposure.units) == ("group", 12)


def test_recognised_patches_make_the_estimates_disagree_and_say_so():
    found = order_effects(reading(readers=5, patches=60, right=(0.95, 0.45), recognised=0.8, seed=2))
    assert found.disagree and found.first_exposure.estimate < found.all_answers.estimate - 0.1
    assert any(warning.startswith("First meetings and all answers disagree") for warning in found.warnings)
    assert found.carry_over.found and any("Hills & Armitage" in warning for warning in found.warnings)
    honest = order_effects(reading(readers=5, patches=60, right=(0.95, 0.45), seed=2))
    assert not honest.disagree and honest.warnings == ()


def pairs(original_first: list[tuple[int, int]], perturbed_first: list[tuple[int, int]]) -> pd.DataFrame:
    """Two alike readers; each pair is (correct original, correct perturbed), one arm in set 1, the other in set 2."""
    rows = []
    for reader in ("A", "B"):
        for order, group in enumerate((original_first, perturbed_first)):
            for number, answers in enumerate(group):
                for arm, correct in enumerate(answers):
                    rows.append((reader, 1 + (arm != order), f"{order}-{number}", ARMS[arm], 1, correct))
    return check(pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "label"]))


def test_carry_over_is_a_difference_of_sums_and_period_of_differences():
    """Original first: differences 0, -1, 0, -1; perturbed first: -1, 0, 0, 0."""
    found = order_effects(pairs([(1, 1), (1, 0), (1, 1), (1, 0)], [(1, 0), (1, 1), (0, 0), (1, 1)]))
    assert found.original_first.estimate == pytest.approx(-0.5)
    assert found.perturbed_first.estimate == pytest.approx(-0.25)
    assert found.period.estimate == pytest.approx((-0.5 + 0.25) / 2)
    assert found.carry_over.estimate == pytest.approx(5 / 4 - 6 / 4)


def test_without_positions_a_crossover_is_told_by_its_sets_and_the_papers_schedule_is_not():
    split = order_effects(reading(schedule="twin-split").drop(columns="position"))
    assert split.first_exposure.ci95 is not None and split.carry_over.estimate is not None
    paper = order_effects(reading(schedule="paper").drop(columns="position"))
    for effect in (paper.first_exposure, paper.first_less_all, paper.original_first, paper.carry_over, paper.period):
        assert effect.estimate is None and "no positions" in effect.reason
    assert paper.all_answers.ci95 is not None and not paper.disagree
    assert paper.within_set.original.reason == "the table has no positions"
    assert "no positions" in paper.statement


def test_a_patch_that_was_first_met_in_a_further_arm_has_no_first_exposure():
    table = reading(readers=2, patches=12, sets=1)
    noise = table[(table["arm"] == "original") & (table["patch_id"] < "p003")].assign(arm="noise", position=0)
    assert order_effects(pd.concat([table, noise])).first_exposure.answers == 2 * 9
    assert order_effects(table).first_exposure.answers == 2 * 12


def test_another_arm_is_compared_by_its_name():
    """Three arms in one set; noise changes nothing, and what the perturbation does must not be taken for it."""
    table = reading(readers=4, patches=36, sets=1, right=(0.95, 0.2))
    noise = table[table["arm"] == "original"].assign(arm="noise", correct=1.0)
    noise = noise.assign(position=np.random.default_rng(1).permuted(noise["position"]) + 0.5)
    everything = pd.concat([table, noise], ignore_index=True)
    first = everything.sort_values("position").drop_duplicates(["reader_id", "patch_id"])
    rate = first.groupby(["reader_id", "arm"])["correct"].mean().unstack()
    found = order_effects(everything, "noise")
    assert found.first_exposure.estimate == pytest.approx((rate["noise"] - rate["original"]).mean())
    assert found.all_answers.estimate > -0.1
    other = order_effects(everything).first_exposure.estimate
    assert other == pytest.approx((rate["perturbed"] - rate["original"]).mean())


def test_slopes_are_those_of_least_squares():
    table = reading(readers=1, patches=40, sets=1, right=(0.9, 0.9), drift=-0.8)
    found = order_effects(table)
    for arm in ARMS:
        rows = table[table["arm"] == arm]
        slope = np.polyfit(rows["position"] / 100, rows["correct"], 1)[0]
        assert getattr(found.within_set, arm).estimate == pytest.approx(slope)
    course = found.within_set
    assert course.difference.estimate == pytest.approx(course.perturbed.estimate - course.original.estimate)


def test_a_planted_drift_is_found_along_the_set_and_a_planted_gain_from_set_to_set():
    found = order_effects(reading(readers=6, patches=60, right=(0.95, 0.95), drift=-0.4, seed=4))
    for effect in (found.within_set.original, found.within_set.perturbed):
        assert effect.ci95[0] < -0.4 < effect.ci95[1] < 0
    table = reading(readers=6, patches=60, sets=3, right=(0.6, 0.6), seed=4)
    gained = table.assign(correct=table["correct"].where(table["set"] < 3, 1.0))
    assert order_effects(gained).between_sets.original.ci95[0] > 0


def test_one_set_has_no_change_from_set_to_set():
    found = order_effects(reading(sets=1))
    assert found.between_sets.original.reason == "one set only" and found.between_sets.difference.estimate is None


def test_too_few_slides_leave_an_interval_and_no_test():
    found = order_effects(reading(patches=40, groups=FEWEST_GROUPS - 1, right=(0.95, 0.4), recognised=0.9))
    assert found.first_exposure.ci95 is not None and found.first_exposure.p is None
    assert "too few for a test" in found.first_exposure.reason
    assert not found.disagree and not found.carry_over.found


def test_all_answers_right_still_leave_an_uncertain_change_but_no_slope_error():
    found = order_effects(reading(right=(1.0, 1.0)))
    low, high = found.first_exposure.ci95
    assert found.first_exposure.estimate == 0 and low < -0.01 and high > 0.01
    assert found.within_set.original.estimate == pytest.approx(0) and found.within_set.original.ci95 is None
    assert "no error can be seen" in found.within_set.original.reason


def test_unanswered_presentations_and_a_silent_arm_are_named_not_fatal():
    table = reading()
    table.loc[table.index % 5 == 0, "correct"] = np.nan
    assert order_effects(table).first_exposure.answers < 96
    silent = table.assign(correct=table["correct"].where(table["arm"] == "original"))
    assert "no first meetings in both arms" in order_effects(silent).first_exposure.reason
    nothing = order_effects(table.assign(correct=np.nan))
    assert nothing.first_exposure.estimate is None and "no answers" in nothing.statement
    one = order_effects(reading(readers=1, patches=1, sets=1))
    assert one.first_exposure.estimate is None and one.first_exposure.reason


@pytest.mark.parametrize("schedule", ["paper", "twin-split"])
def test_every_part_of_a_reading_has_an_estimate_or_a_reason(schedule):
    table = reading(readers=2, patches=12, schedule=schedule, right=(0.9, 0.6)).sort_values(["set", "position"])
    for share in (0.02, 0.25, 0.5, 0.75, 1.0):
        read = np.arange(len(table)) < share * len(table)
        found = order_effects(table.assign(correct=table["correct"].where(read)))
        for effect in (found.first_exposure, found.first_less_all, found.carry_over, found.within_set.difference):
            assert effect.ci95 is not None or effect.reason
        assert found.statement
