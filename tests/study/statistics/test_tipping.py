"""By how many missing answers a verdict tips."""

import numpy as np
import pytest

from study.statistics.endpoint import endpoint
from study.statistics.table import check
from study.statistics.tipping import tipping
from tests.study.readings import simulate


def by_difference(limit: float):
    """A verdict of the difference alone, and the number of times that it was asked for."""
    asked = []

    def judge(rows) -> str:
        asked.append(len(rows))
        rate = rows.groupby("arm")["correct"].mean()
        return "lost" if rate["perturbed"] - rate["original"] < -limit else "kept"

    return judge, asked


def with_missing(perturbed: int, original: int, **kwargs):
    table = check(simulate(right=(1, 1), **kwargs))
    for arm, number in (("perturbed", perturbed), ("original", original)):
        table.loc[table.index[table["arm"] == arm][:number], ["correct", "label"]] = np.nan
    return table


def test_nothing_missing_has_no_tipping_point():
    assert tipping(check(simulate()), by_difference(0.1)[0]) is None


def test_the_smallest_number_that_changes_the_verdict_is_found_in_few_looks():
    """Of 80 perturbed answers 60 are missing: k wrong ones among 20 + k lose 10 points where k / (20 + k) > 0.1."""
    judge, asked = by_difference(0.1)
    found = tipping(with_missing(60, 0, readers=2, patches=20, sets=2), judge)
    assert found.verdict == "kept" and (found.missing, found.missing_perturbed, found.missing_original) == (60, 60, 0)
    assert (found.against.tips_at, found.against.perturbed, found.against.original) == (3, 3, 0)
    assert (found.against.share, found.against.becomes) == (3 / 60, "lost")
    assert found.perturbed_wrong.tips_at == 3 and found.original_right.tips_at is None
    assert len(asked) < 60
    assert "would become lost if 3 perturbed were wrong (5 % of the missing)" in found.statement


def test_the_arms_are_filled_in_step_and_the_readers_in_turn():
    seen = []

    def judge(rows) -> str:
        seen.append(rows[rows.index.isin(gaps) & rows["correct"].notna()])
        return "same"

    table = check(simulate(readers=3, patches=8, sets=1, right=(1, 1)))
    gaps = table.index[table["patch_id"] < "p004"]
    table.loc[gaps, ["correct", "label"]] = np.nan
    tipping(table, judge)
    for filled in seen:
        assert filled.groupby("arm").size().reindex(
            ["original", "perturbed"], fill_value=0
        ).diff().abs().max() <= 1 or (filled["arm"].nunique() == 1)
        per_reader = filled.groupby(["arm", "reader_id"]).size().unstack(fill_value=0)
        assert per_reader.empty or (per_reader.max(axis=1) - per_reader.min(axis=1)).max() <= 1
        assert ((filled["label"] == filled["truth"]) == (filled["correct"] == 1)).all()


def test_a_verdict_that_no_missing_answer_can_change_says_so():
    found = tipping(with_missing(2, 2, readers=2, patches=20, sets=2), by_difference(0.5)[0])
    assert found.against.tips_at is None and found.towards.tips_at is None
    assert found.statement.startswith("4 of 160 presentations have no answer (2 perturbed, 2 original).")
    assert "would stay if every missing perturbed answer were wrong" in found.statement


def test_originals_alone_can_tip_a_verdict_towards():
    table = with_missing(0, 30, readers=2, patches=20, sets=2)
    table.loc[table.index[table["arm"] == "perturbed"][:20], ["correct", "label"]] = 0
    found = tipping(table, by_difference(0.2)[0])
    assert found.verdict == "lost" and found.towards.becomes == "kept"
    assert "original were wrong" in found.statement


def test_equal_tables_tip_equally_whatever_the_order_of_their_rows():
    table = with_missing(20, 17, readers=3, patches=20, sets=2)
    judge, _ = by_difference(0.05)
    assert tipping(table.sample(frac=1, random_state=1), judge) == tipping(table, judge)


def test_it_serves_the_primary_analysis():
    def judge(rows) -> str | None:
        return endpoint(rows, "perturbed", margin=0.1, level=0.95).primary.verdict

    found = tipping(with_missing(20, 0, readers=3, patches=40, sets=2), judge)
    assert found.verdict in ("equivalent", "non_inferior") and found.against.becomes is not None
    assert found.against.tips_at == pytest.approx(found.against.perturbed) and found.towards.tips_at is None
