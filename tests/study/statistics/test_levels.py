"""Each arm by itself: shares and d' over readers, of the rows that belong to it alone."""

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from study.statistics.detection import d_prime
from study.statistics.levels import levels


def table(readers: int = 3, patches: int = 12, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {"reader_id": f"R{r}", "patch_id": f"p{n}", "arm": arm, "set": 1, "truth": n % 2,
         "label": int((n % 2 == 1) == (rng.random() < chance))}
        for r in range(readers) for n in range(patches) for arm, chance in (("original", 0.9), ("perturbed", 0.6))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_each_arm_has_the_mean_of_its_readers_shares_with_an_interval_round_it():
    rows = table()
    found = levels(rows, ("original", "perturbed"))
    for arm, level in found.items():
        own = rows[rows["arm"] == arm]
        for truth, share in ((1, level.tpf), (0, level.tnf)):
            part = own[own["truth"] == truth]
            mean = (part["label"] == truth).groupby(part["reader_id"]).mean().mean()
            assert share.mean == pytest.approx(mean)
            assert share.ci95 is None or 0 <= share.ci95[0] <= mean <= share.ci95[1] <= 1
        sights = []
        for _, reader in own.groupby("reader_id"):
            yes, no = reader[reader["truth"] == 1], reader[reader["truth"] == 0]
            sights.append(d_prime(int(yes["label"].sum()), len(yes), int(no["label"].sum()), len(no)).d_prime)
        assert level.d_prime.mean == pytest.approx(np.mean(sights))


def test_what_was_not_asked_is_not_there():
    rows = table()
    found = levels(rows[rows["truth"] == 1], ("original",))["original"]
    assert found.tpf and found.tnf is None and found.d_prime is None
    with pytest.raises(InvalidInput, match="mine"):
        levels(rows.drop(columns="truth"), ("original",), source="mine")
