"""Twins lie in different sets: one arm per set, crossed over, balanced within and between readers."""

import time
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from study.design import twin_split as module
from study.design.schedule import smallest_gap
from study.design.twin_split import build_twin_split, largest_split_gap, readers_per_round
from tests.study.design.orders import ARMS, chi_square, design, exact_shares, fingerprint, share_of_repeats


def truths(cases: int, positives: int) -> dict:
    return {f"patch-{i}": i < positives for i in range(cases)}


@given(
    cases=st.integers(1, 30), arms=st.integers(1, 4), cycles=st.integers(1, 2), share=st.floats(0, 1),
    seed=st.integers(0, 2**63), round_seed=st.integers(0, 2**63), turn=st.integers(0, 7), adjacent=st.booleans(),
    positives=st.integers(0, 30),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_each_set_shows_each_patch_in_one_arm_and_a_cycle_shows_every_arm(
    cases, arms, cycles, share, seed, round_seed, turn, adjacent, positives
):
    stimuli, copies, kinds = design(*[arms] * cases), cycles * arms, truths(cases, positives)
    feasible = largest_split_gap(stimuli, copies=copies, adjacent_sets=adjacent)
    gap = 1 + round(share * ((feasible or 40) - 1))
    asked = {"copies": copies, "min_gap": gap, "adjacent_sets": adjacent, "kinds": kinds}
    made = build_twin_split(stimuli, seed=seed, round_seed=round_seed, turn=turn, **asked)
    assert made == build_twin_split(stimuli, seed=seed, round_seed=round_seed, turn=turn, **asked)
    patches = sorted({key.case_id for key in stimuli})
    for order in made.sets:
        assert sorted(stimuli[index].case_id for index in order) == patches
        for truth in (True, False):
            counts = Counter(stimuli[index].arm for index in order if kinds[stimuli[index].case_id] == truth)
            assert max(counts.values(), default=0) - min((counts[arm] for arm in ARMS[:arms]), default=0) <= 1
    for first in range(0, copies, arms):
        assert sorted(index for order in made.sets[first : first + arms] for index in order) == list(
            range(len(stimuli))
        )
    found = smallest_gap(made, stimuli)
    assert found is None or found >= gap


@pytest.mark.parametrize(("arms", "copies"), [(2, 2), (2, 4), (3, 3), (4, 4)])
def test_readers_of_one_round_meet_each_patch_and_see_at_each_place_each_arm_once(arms, copies):
    stimuli, kinds = design(*[arms] * 13), truths(13, 7)
    assert readers_per_round(stimuli) == arms
    by_patch, by_place, orders = Counter(), Counter(), set()
    for turn in range(arms):
        made = build_twin_split(
            stimuli,
            copies=copies,
            min_gap=1,
            seed=100 + turn,
            round_seed=5,
            turn=turn,
            kinds=kinds,
            adjacent_sets=False,
        )
        for s, order in enumerate(made.sets):
            orders.add(tuple(stimuli[index].case_id for index in order))
            for p, index in enumerate(order):
                by_patch[s, stimuli[index]] += 1
                by_place[s, p, stimuli[index].arm] += 1
    assert set(by_patch.values()) == {1} and len(by_patch) == copies * len(stimuli)
    assert set(by_place.values()) == {1} and len(by_place) == copies * len(stimuli)
    if arms == 2:
        assert len(orders) == arms * copies  # not the same patches at the same places


def test_half_of_the_patches_are_met_original_first_and_all_are_crossed_over():
    stimuli = design(*[2] * 20)
    made = build_twin_split(stimuli, copies=2, min_gap=1, seed=1, round_seed=2, adjacent_sets=False)
    first, second = ({stimuli[i].case_id: stimuli[i].arm for i in order} for order in made.sets)
    assert Counter(first.values()) == {"original": 10, "perturbed": 10}
    assert all(first[patch] != second[patch] for patch in first)


@pytest.mark.parametrize(
    ("sizes", "copies", "gap", "kinds"), [([2, 2], 2, 1, None), ([2], 4, 1, None), ([1, 2], 2, 2, None)]
)
def test_each_patch_is_at_each_position_in_each_arm_with_exactly_the_same_probability(
    sizes, copies, gap, kinds, monkeypatch
):
    stimuli = design(*sizes)

    def make(draws):
        monkeypatch.setattr(module, "Draws", lambda seed: draws)
        return build_twin_split(stimuli, copies=copies, min_gap=gap, seed=0, round_seed=0, kinds=kinds).sets

    monkeypatch.setattr("study.design.schedule.GROUPS_PER_BLOCK", (4,))  # fewer branches to walk through
    shares = exact_shares(make)
    for (_, _, index), share in shares.items():
        arms = sizes[int(stimuli[index].case_id.split("-")[1])]
        assert share == Fraction(1, len(sizes) * arms)
    assert len(shares) == copies * len(sizes) * len(stimuli)


@pytest.mark.parametrize(
    ("cases", "arms", "copies", "gap", "turn"),
    [(20, 2, 2, 12, 0), (20, 2, 2, 20, 1), (15, 3, 3, 5, 2), (9, 2, 4, 3, 1)],
)
def test_the_arm_is_independent_of_the_position_over_many_seeds(cases, arms, copies, gap, turn):
    """Arm and patch by position, 1,500 fixed seeds, all sets: at most 3.5 standard deviations above its expectation."""
    stimuli, seeds, kinds = design(*[arms] * cases), 1500, truths(cases, cases // 2)
    counts, patch, first = Counter(), Counter(), Counter()
    for seed in range(seeds):
        made = build_twin_split(
            stimuli, copies=copies, min_gap=gap, seed=seed, round_seed=10_000 + seed, turn=turn, kinds=kinds
        )
        for s, order in enumerate(made.sets):
            for p, index in enumerate(order):
                counts[s, p, stimuli[index].arm] += 1
                patch[s, p, stimuli[index].case_id] += 1
        for index in made.sets[0]:
            first[stimuli[index]] += 1
    for s in range(copies):
        for table, cells in ((counts, ARMS[:arms]), (patch, list(kinds))):
            expected = seeds / len(cells)
            statistic = sum(chi_square([table[s, p, cell]], expected) for p in range(cases) for cell in cells)
            df = (cases - (table is patch)) * (len(cells) - 1)
            if table is patch:
                statistic *= 1 - 1 / cases  # each set is a permutation: its cells vary by n / (n - 1) more
            assert statistic < df + 3.5 * (2 * df) ** 0.5, (s, cells[0], statistic, df)
    for key in stimuli:  # which arm of a patch is met first is a fair draw
        assert abs(first[key] - seeds / arms) < 4.5 * (seeds / arms * (1 - 1 / arms)) ** 0.5


def test_the_arm_at_a_position_says_nothing_about_the_arm_at_the_same_position_of_the_next_set():
    stimuli, seeds = design(*[2] * 10), 2000
    agree = Counter()
    for seed in range(seeds):
        made = build_twin_split(stimuli, copies=2, min_gap=1, seed=seed, round_seed=seed, adjacent_sets=False)
        for p in range(10):
            agree[p] += stimuli[made.sets[0][p]].arm == stimuli[made.sets[1][p]].arm
    # A set begins anew after the wash-out: the same arm at the same place comes up about half of the time.
    assert all(abs(agree[p] - seeds / 2) < 4.5 * (seeds / 4) ** 0.5 for p in range(10)), agree


def test_arms_stay_close_along_a_set_without_alternating():
    stimuli = design(*[2] * 60)
    made = (build_twin_split(stimuli, copies=2, min_gap=10, seed=seed, round_seed=seed) for seed in range(100))
    assert 0.4 < share_of_repeats(stimuli, made) < 0.5  # a coin gives 0.5, alternation 0


def test_arms_are_balanced_along_the_session_within_positives_and_within_negatives():
    stimuli, kinds = design(*[2] * 80), truths(80, 40)
    for seed in range(20):
        for order in build_twin_split(stimuli, copies=2, min_gap=10, seed=seed, round_seed=seed, kinds=kinds).sets:
            balance = Counter()
            for index in order:
                case, arm = stimuli[index]
                balance[kinds[case]] += 1 if arm == "original" else -1
                assert abs(balance[kinds[case]]) <= 6


def test_the_same_seeds_give_the_same_order_on_any_machine():
    made = build_twin_split(design(*[2] * 20), copies=2, min_gap=10, seed=7_688_644_351_913_833_238, round_seed=11)
    assert fingerprint(made) == "61972b50f7e97d6265fd34ce7e0a4fc111981b7132ec7a675798410f457b09fd"


def test_two_thousand_patches_in_four_sets_take_under_four_seconds():
    began = time.process_time()
    build_twin_split(design(*[2] * 2000), copies=4, min_gap=100, seed=3, round_seed=4)
    assert time.process_time() - began < 4


@pytest.mark.parametrize(
    ("arms", "copies", "words"), [(2, 1, "2 sets"), (2, 3, "3 sets are no multiple of 2"), (3, 2, "3 sets")]
)
def test_a_number_of_sets_that_is_no_multiple_of_the_arms_is_refused_and_says_what_would_do(arms, copies, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        build_twin_split(design(*[arms] * 4), copies=copies, min_gap=1, seed=0, round_seed=0)
    assert caught.value.field == "copies"


@pytest.mark.parametrize(
    ("stimuli", "copies", "gap", "words"),
    [([], 1, 1, "no stimuli"), (design(2, 2), 0, 1, "copies is 0"), (design(2, 2), 2, 0, "min_gap is 0"),
     (design(2, 2), 2, 3, "largest feasible gap is 2"), (design(2) + design(1), 2, 1, "are both case 'patch-0'")],
)  # fmt: skip
def test_bad_requests_are_named(stimuli, copies, gap, words):
    with pytest.raises(InvalidInput, match=words):
        build_twin_split(stimuli, copies=copies, min_gap=gap, seed=0, round_seed=0)
