"""Tidy tables made by hand or by chance, for the statistics' tests."""

import numpy as np
import pandas as pd


def simulate(readers=2, patches=10, sets=2, negatives=0, right=(0.9, 0.8), seed=0) -> pd.DataFrame:
    """Every reader answers every patch in both arms in every set; P(correct) for original and perturbed."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"R{reader + 1}", number + 1, f"p{patch:03d}", arm, int(patch < patches), rng.random() < p)
        for reader in range(readers)
        for number in range(sets)
        for patch in range(patches + negatives)
        for arm, p in zip(("original", "perturbed"), right)
    ]
    table = pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "correct"])
    table["label"] = np.where(table.pop("correct"), table["truth"], 1 - table["truth"])
    return table


def from_cells(a: int, b: int, c: int, d: int, reader: str = "R1", number: int = 1) -> pd.DataFrame:
    """One reader, one set with these 2x2 cells."""
    cells = [(1, 1)] * a + [(1, 0)] * b + [(0, 1)] * c + [(0, 0)] * d
    rows = [
        (reader, number, f"p{i:03d}", arm, 1, label)
        for i, pair in enumerate(cells)
        for arm, label in zip(("original", "perturbed"), pair)
    ]
    return pd.DataFrame(rows, columns=["reader_id", "set", "patch_id", "arm", "truth", "label"])


def on_a_ladder(
    readers=3, patches=20, trials=None, seed=0, world=None, ladder="perturbed", flip=True, **columns
) -> pd.DataFrame:
    """Pairs of one ladder, read by simulated readers of known thresholds, as a tidy table."""
    from study.design.seeing import World, read

    found = read(np.random.default_rng(seed), world or World(), readers, patches, trials)
    table = pd.DataFrame({
        "reader_id": [f"R{reader + 1}" for reader in found.reader],
        "patch_id": [f"p{patch:03d}" for patch in found.patch],
        "arm": "pair", "set": 1, "truth": 1, "label": found.right.astype(int), "ladder": ladder, "norm": "l2",
        "level": found.level, "l2": found.level, "linf": 4 * found.level,
    })  # fmt: skip
    if flip:
        table["flip"] = np.exp(found.log_flip)[found.patch]
    return table.assign(**columns)
