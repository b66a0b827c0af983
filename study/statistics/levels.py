"""Where each arm stands by itself: the shares answered correctly and d', over readers, each with its own interval.

The change between arms has an interval of its own (``primary``); that two of these overlap says nothing about it.
"""

from dataclasses import dataclass

import pandas as pd

from study.statistics.arms import without_catch_patches
from study.statistics.sight import strength
from study.statistics.table import check
from study.statistics.two_way import Overall, means, over_readers
from study.statistics.units import unit_of


@dataclass(frozen=True)
class Level:
    """Mean over readers of one arm. None where no reader answered such patches."""

    tpf: Overall | None
    tnf: Overall | None
    d_prime: Overall | None


def levels(table: pd.DataFrame, arms: tuple[str, ...], source: str = "table") -> dict[str, Level]:
    """For each of ``arms`` of a tidy table. d' is of readers who answered patches with and without tumour."""
    rows = without_catch_patches(check(table, source))
    rows = rows[rows["label"].notna() & rows["truth"].notna()]
    return {arm: _level(rows[rows["arm"] == arm]) for arm in arms}


def _level(rows: pd.DataFrame) -> Level:
    both = rows.groupby("reader_id")["truth"].transform("nunique") == 2
    return Level(
        _share(rows[rows["truth"] == 1]),
        _share(rows[rows["truth"] == 0]),
        strength(rows[both]) if both.any() else None,
    )


def _share(rows: pd.DataFrame) -> Overall | None:
    if rows.empty:
        return None
    right, reader, unit = rows["correct"].to_numpy(float), rows["reader_id"].to_numpy(), unit_of(rows).to_numpy()
    return over_readers(means(right, reader, unit), bounds=(0, 1))
