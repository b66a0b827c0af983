"""Drawing a study's cases from a pool of patches, by a recorded seed and regardless of the pool's order."""

import numpy as np
import pandas as pd

from model.learning.errors import BadInput

STRATA = ("group", "tumour_cells", "margin")
QUANTILES = 4


def draw_cases(
    pool: pd.DataFrame, *, n_positive: int, n_negative: int = 0, seed: int, stratify: str | None = None
) -> pd.DataFrame:
    """``n_positive`` and ``n_negative`` rows of ``pool``, positives first, each class in random order.

    Args:
        pool: one row per patch with ``patch_id`` (unique) and ``truth`` (bool); with ``stratify`` also that column.
        stratify: spread the draw evenly over groups, or over quarters of the tumour-cell count or of the
            classifier's margin, as far as the pool allows.

    Raises:
        BadInput: the pool has too few patches of a class, or lacks the column to stratify by.
    """
    if stratify is not None and stratify not in STRATA:
        raise BadInput(f"stratify: '{stratify}' is unknown; choose from {', '.join(STRATA)}.")
    if pool["patch_id"].duplicated().any():
        raise BadInput(f"pool: patch '{pool['patch_id'][pool['patch_id'].duplicated()].iloc[0]}' stands twice.")
    drawn = []
    for truth, wanted, word in ((True, n_positive, "positives"), (False, n_negative, "negatives")):
        rows = pool[pool["truth"].astype(bool) == truth].sort_values("patch_id", kind="stable")
        if wanted > len(rows):
            raise BadInput(
                f"cases: {wanted} {word} were asked for, but the pool holds {len(rows)}. "
                "Ask for fewer, or attack more patches (a larger budget, more steps, a larger test split)."
            )
        rng = np.random.default_rng([seed, int(truth)])
        drawn.append(rows.iloc[_spread(_strata(rows, stratify), wanted, rng)])
    return pd.concat(drawn).reset_index(drop=True)


def _strata(rows: pd.DataFrame, stratify: str | None) -> np.ndarray:
    """(n,) stratum of each row."""
    if stratify is None or rows.empty:
        return np.zeros(len(rows), dtype=int)
    if stratify not in rows or rows[stratify].isna().any():
        raise BadInput(f"stratify: the pool has no '{stratify}' for every patch.")
    if stratify == "group":
        return pd.factorize(rows["group"], sort=True)[0]
    ranks = rows[stratify].rank(method="average", pct=True)
    return np.minimum((ranks * QUANTILES).astype(int), QUANTILES - 1).to_numpy()


def _spread(strata: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of ``wanted`` rows: round after round one from every stratum that has some left, in random order."""
    piles = [list(rng.permutation(np.flatnonzero(strata == one))) for one in np.unique(strata)]
    chosen: list[int] = []
    while len(chosen) < wanted:
        piles = [piles[index] for index in rng.permutation(len(piles)) if piles[index]]
        chosen += [pile.pop() for pile in piles[: wanted - len(chosen)]]
    return rng.permutation(np.array(chosen, dtype=int))
