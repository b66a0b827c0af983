"""Splits and folds: nobody on both sides, every class on each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from model.learning import splits


def slides(rng, per_class=(12, 9)):
    """Labels and slides of uneven size; no slide has both classes."""
    labels, groups = [], []
    for label, count in enumerate(per_class):
        for slide in range(count):
            size = int(rng.integers(1, 12))
            labels += [label] * size
            groups += [f"{label}-{slide}"] * size
    return np.array(labels), np.array(groups)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.2, 0.5))
def test_a_slide_is_never_on_both_sides_and_each_side_has_both_classes(seed, share):
    labels, groups = slides(np.random.default_rng(seed))
    train, test = splits.split(labels, groups, test_share=share, seed=seed)
    assert not set(groups[train]) & set(groups[test])
    assert sorted([*train, *test]) == list(range(len(labels)))
    for side in (train, test):
        assert set(labels[side]) == {0, 1}


def test_the_grouped_split_comes_near_the_share_in_both_classes():
    labels, groups = slides(np.random.default_rng(0), (90, 19))
    _, test = splits.split(labels, groups, test_share=0.3, seed=0)
    for label in (0, 1):
        assert abs((labels[test] == label).sum() / (labels == label).sum() - 0.3) < 0.03


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(10, 80))
def test_without_groups_the_split_is_stratified_and_decided_by_the_seed(seed, n):
    labels = np.arange(2 * n) % 2
    train, test = splits.split(labels, None, test_share=0.3, seed=seed)
    assert abs(labels[test].mean() - 0.5) <= 1 / len(test)
    again = splits.split(labels, np.array([""] * 2 * n), test_share=0.3, seed=seed)
    assert np.array_equal(train, again[0]) and np.array_equal(test, again[1])


def test_each_patch_is_held_out_once_and_slides_stay_together():
    labels, groups = slides(np.random.default_rng(1))
    pairs = splits.folds(labels, groups, count=3, seed=4)
    assert sorted(np.concatenate([test for _, test in pairs])) == list(range(len(labels)))
    for train, test in pairs:
        assert not set(groups[train]) & set(groups[test])
        assert set(labels[train]) == set(labels[test]) == {0, 1}


def test_runs_divide_the_patches_anew():
    labels = np.arange(40) % 2
    one, other = (splits.folds(labels, None, count=3, seed=seed)[0][1] for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_patches_partly_without_a_slide_are_refused():
    with pytest.raises(InvalidInput, match="1 of 3 patches have no group"):
        splits.grouped(np.array(["a", "", "b"]))


@pytest.mark.parametrize("share", [0.0, 1.0, -1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InvalidInput, match="test_share"):
        splits.split(np.array([0, 1, 0, 1]), None, test_share=share, seed=0)


def test_too_few_slides_of_a_class_are_refused():
    labels, groups = np.array([0, 0, 0, 1, 1]), np.array(["a", "b", "c", "d", "d"])
    with pytest.raises(InvalidInput, match="too few groups"):
        splits.split(labels, groups, test_share=0.4, seed=0)
    with pytest.raises(InvalidInput, match="1 groups with tumour"):
        splits.folds(labels, groups, count=2, seed=0)


def glas(seed):
    """Sixteen patients of one class or both, one of whom has most of the positives, as in GlaS."""
    rng = np.random.default_rng(seed)
    labels, groups = [], []
    for patient in range(16):
        positives = 120 if patient == 0 else int(rng.integers(10, 40))
        negatives = 0 if patient == 0 else int(rng.integers(10, 40))
        labels += [1] * positives + [0] * negatives
        groups += [f"patient {patient}"] * (positives + negatives)
    return np.array(labels), np.array(groups)


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_makes_up_most_of_a_class_on_either_side(seed):
    labels, groups = glas(seed)
    train, test = splits.split(labels, groups, test_share=0.3, seed=seed)
    for side in (train, test):
        for label in (0, 1):
            of_class = groups[side][labels[side] == label]
            assert len(set(of_class)) >= 4 and max(np.unique(of_class, return_counts=True)[1]) <= 0.5 * len(of_class)
    assert abs((labels[test] == 1).mean() - (labels == 1).mean()) < 0.15


def test_groups_are_counted_per_class_and_few_are_warned_of():
    labels, groups = np.array([1, 1, 0, 0, 0]), np.array(list("aabbc"))
    counts = splits.groups_per_class(labels, groups)
    assert counts == {"tumour": 1, "no_tumour": 2}
    assert splits.few_groups(counts, "Test split")[0].startswith(
        "Test split: only 1 group with tumour and 2 groups without tumour."
    )
    assert splits.few_groups({"tumour": 5, "no_tumour": 9}, "x") == [] == splits.few_groups({}, "x")
    assert splits.groups_per_class(labels, np.array([""] * 5)) == {}
