"""Who is trained on and who is tested on: drawn by a seed, stratified, with the patches of a group kept together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, StratifiedKFold, train_test_split

from core.errors import InvalidInput
from model.learning.groups import few_groups, grouped, groups_per_class

__all__ = ["few_groups", "folds", "grouped", "groups_per_class", "split"]

Rows = NDArray[np.integer[Any]]
CANDIDATES = 200
"""Grouped splits that are drawn to choose the one whose classes come nearest to the asked share, from many groups."""


def split(labels: NDArray[Any], groups: NDArray[Any] | None, *, test_share: float, seed: int) -> tuple[Rows, Rows]:
    """Row numbers for training and for the test, each sorted.

    Without groups: stratified. With groups: of ``CANDIDATES`` random draws of whole groups the one in which the share
    of each class comes nearest to ``test_share`` and no group makes up most of a class on either side (on GlaS the
    nearest share alone put 120 of 128 test positives down to one patient). Raises InvalidInput where a class would be
    missing on one side.
    """
    if not 0 < test_share < 1:
        raise InvalidInput(f"{test_share} is not a share between 0 and 1.", field="test_share")
    truth, rows = np.asarray(labels).astype(int), np.arange(len(labels))
    if not grouped(groups):
        try:
            train, test = train_test_split(rows, test_size=test_share, stratify=truth, random_state=seed)
        except ValueError as error:
            raise InvalidInput(
                f"{len(rows)} patches cannot be split with a test share of {test_share}: {error}"
            ) from error
        return np.sort(train), np.sort(test)
    shuffle = GroupShuffleSplit(CANDIDATES, test_size=test_share, random_state=seed)
    try:
        drawn = list(shuffle.split(rows, truth, groups))
    except ValueError as error:
        raise InvalidInput(f"The groups cannot be split with a test share of {test_share}: {error}") from error

    names = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]

    def distance(pair: tuple[Rows, Rows]) -> float:
        total = 0.0
        for label in (0, 1):
            of_class = int((truth == label).sum())
            for side, share in zip(pair, (1 - test_share, test_share)):
                counts = np.bincount(names[side][truth[side] == label])
                total += abs(counts.sum() / of_class - share) / 2
                total += float(counts.max() / counts.sum()) if counts.sum() else 2.0  # what the largest group makes up
        return total

    train, test = min(drawn, key=distance)
    if len(set(truth[train])) < 2 or len(set(truth[test])) < 2:
        raise InvalidInput(
            "No split of the groups leaves both classes on both sides: there are too few groups of a class."
        )
    return np.sort(train), np.sort(test)


def folds(labels: NDArray[Any], groups: NDArray[Any] | None, *, count: int, seed: int) -> list[tuple[Rows, Rows]]:
    """``count`` pairs (training, held-out rows), stratified, grouped where groups exist; each row is held out once."""
    truth, rows = np.asarray(labels).astype(int), np.arange(len(labels))
    has_groups = grouped(groups)
    per_class = [
        len(set(np.asarray(groups)[truth == label])) if has_groups else (truth == label).sum() for label in (0, 1)
    ]
    if count < 2 or min(per_class) < count:
        unit = "groups" if has_groups else "patches"
        raise InvalidInput(
            f"{count} does not work with {per_class[1]} {unit} with tumour and {per_class[0]} without; "
            "2 up to the smaller of them.",
            field="folds",
        )
    kind = StratifiedGroupKFold if has_groups else StratifiedKFold
    pairs = list(kind(count, shuffle=True, random_state=seed).split(rows, truth, groups if has_groups else None))
    for train, test in pairs:
        if len(set(truth[train])) < 2 or len(set(truth[test])) < 2:
            raise InvalidInput(
                f"With {count} folds one has a single class, as the groups are few or uneven. Ask for fewer."
            )
    return pairs
