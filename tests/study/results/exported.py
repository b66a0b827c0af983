"""Tidy tables and the files for other programs that are made of them, without a database."""

from pathlib import Path

import numpy as np
import pandas as pd

from study.results.exports import mrmc
from study.results.exports.registry import PER_STIMULI
from study.statistics.table import check


def crossover(readers=3, patches=20, sets=2, right=(0.9, 0.75), seed=0) -> pd.DataFrame:
    """Every set shows each patch in one arm: half of the patches original first, the other arm in the next set."""
    rng = np.random.default_rng(seed)
    arms = ("original", "perturbed")
    rows = []
    for reader in range(readers):
        for number in range(sets):
            for patch in range(patches):
                arm = (reader + patch + number) % 2
                label = int(rng.random() < right[arm])
                rows.append((f"R{reader + 1}", number + 1, f"p{patch:03d}", arms[arm], 1, label))
    return pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "label"])


def without(table: pd.DataFrame, answers: int, seed: int = 0) -> pd.DataFrame:
    """The table with so many answers missing."""
    gone = np.random.default_rng(seed).choice(table.index, answers, replace=False)
    return table.assign(label=table["label"].astype(float).mask(table.index.isin(gone)))


def written(table: pd.DataFrame, folder: Path, name: str = "A, study") -> mrmc.Readings:
    """Every file for other programs, and presentations.csv, in ``folder``; the readings that they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    table.assign(group=table.get("group")).to_csv(folder / "presentations.csv", index=False)
    data = mrmc.readings(check(table), "perturbed", name)
    for stem, ending, _, _, write in PER_STIMULI:
        for suffix, part in data.split():
            chunks = [chunk.encode() if isinstance(chunk, str) else chunk for chunk in write(part)]
            (folder / f"{stem}{suffix}{ending}").write_bytes(b"".join(chunks))
    for suffix, part in data.per_reading():
        (folder / f"mrmcbinary{suffix}.csv").write_text("".join(mrmc.mrmcbinary(part)))
    return data
