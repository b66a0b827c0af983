"""Which reading of a stimulus a row is, in either order of arms: every set shows all arms, or each patch in one arm."""

import pandas as pd

_ONE_PATCH = ["reader_id", "set", "patch_id"]
_ONE_STIMULUS = ["reader_id", "patch_id", "arm"]


def crossover(rows: pd.DataFrame) -> bool:
    """Whether nobody meets two arms of a patch in one set, though somebody meets two arms of it in several sets."""
    within = rows.groupby(_ONE_PATCH)["arm"].nunique()
    overall = rows.groupby(["reader_id", "patch_id"])["arm"].nunique()
    return bool(len(rows) and within.max() == 1 and overall.max() > 1)


def reading(rows: pd.DataFrame) -> pd.Series:
    """The how-manieth reading of this stimulus by this reader a row is, from 1.

    Where every set shows every stimulus this is the set. In a crossover a stimulus comes back after as many sets as
    there are arms, so that its readings are counted by the order of their sets.
    """
    if not crossover(rows):
        return rows["set"]
    return rows.groupby(_ONE_STIMULUS)["set"].rank(method="first").astype(int)
