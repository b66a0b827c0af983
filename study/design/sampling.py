"""Which cases a study shows: drawn from the pool by a seed, whatever order the pool came in."""

from typing import Literal

import numpy as np
import pandas as pd

from core.errors import InvalidInput
from study.design.draws import Draws

Stratify = Literal["group", "tumour_cells", "margin", "random"]
STRATIFY_BY: tuple[Stratify, ...] = ("group", "tumour_cells", "margin", "random")


def draw_cases(
    pool: pd.DataFrame, *, n_positive: int, n_negative: int = 0, seed: int, stratify: Stratify = "random"
) -> pd.DataFrame:
    """Draw positives and negatives without replacement.

    Args:
        pool: one row per eligible patch with ``patch_id`` (unique), ``truth`` (1 or 0, or a boolean) and, if
            stratified by it, ``group`` (slide or patient), ``tumour_cells`` (nuclei) or ``margin`` (how sure the model
            was). Other columns are kept.
        n_positive, n_negative: cases wanted of either truth.
        seed: the same seed draws the same patches, whatever the order of the pool's rows.
        stratify: ``random`` draws every patch equally likely. ``group`` spreads the cases over the groups as evenly as
            the groups allow (so that no slide dominates), and takes the negatives from the positives' groups as far as
            these reach; a patch without a group is a group of its own. ``tumour_cells`` and ``margin`` rank the
            patches, cut the ranking into as many slices as cases are wanted and draw one from each, so that the sample
            has the pool's spread.

    Returns:
        The drawn rows, positives first, each part in the order of ``patch_id``, with a new index.

    Raises:
        InvalidInput: a missing column, a patch twice, a truth that is not 0 or 1, a missing value in the stratum, or a
            pool
            that is too small.
    """
    if stratify not in STRATIFY_BY:
        raise InvalidInput(f"stratify is {stratify!r}; use one of {', '.join(STRATIFY_BY)}.")
    needed = ["patch_id", "truth"] + ([stratify] if stratify != "random" else [])
    missing = [column for column in needed if column not in pool.columns]
    if missing:
        raise InvalidInput(f"The pool of {len(pool)} patches has no column {', '.join(missing)}; add it.")
    for name, number in (("n_positive", n_positive), ("n_negative", n_negative)):
        if number < 0:
            raise InvalidInput(f"{name} is {number}; ask for 0 or more.")
    if n_positive + n_negative == 0:
        raise InvalidInput("n_positive and n_negative are both 0; ask for at least one case.")
    twice = pool["patch_id"][pool["patch_id"].duplicated()]
    if len(twice):
        raise InvalidInput(
            f"The pool holds patch {twice.iloc[0]!r} twice; each patch may be drawn once, so list it once."
        )
    wrong = pool.loc[~pool["truth"].isin([0, 1]), ["patch_id", "truth"]]
    if len(wrong):
        raise InvalidInput(f"Patch {wrong.iloc[0, 0]!r} has truth {wrong.iloc[0, 1]}; it must be 1 (tumour) or 0.")
    if stratify in ("tumour_cells", "margin"):
        gaps = pool.loc[pool[stratify].isna(), "patch_id"]
        if len(gaps):
            raise InvalidInput(
                f"Patch {gaps.iloc[0]!r} has no {stratify}; fill it in or draw without stratifying by it."
            )

    drawn: list[pd.DataFrame] = []
    for truth, wanted, name in ((1, n_positive, "positives"), (0, n_negative, "negatives")):
        part = pool[pool["truth"] == truth].sort_values("patch_id", kind="stable")
        demand_enough(name, len(part), wanted)
        # Each truth has its own stream, so that asking for more negatives leaves the positives as they were.
        draws = Draws(2 * seed + truth)
        rows = np.arange(len(part))
        if stratify == "group":
            first = set(units(drawn[0])) if drawn else set()
            chosen = _over_groups(units(part), wanted, draws, first)
        elif stratify != "random":
            ranked = rows[np.argsort(part[stratify].to_numpy(float), kind="stable")]
            chosen = [draws.choice(slice_.tolist()) for slice_ in np.array_split(ranked, wanted)] if wanted else []
        else:
            chosen = draws.shuffled(rows.tolist())[:wanted]
        drawn.append(part.iloc[sorted(chosen)])
    return pd.concat(drawn, ignore_index=True)


def demand_enough(name: str, held: int, wanted: int) -> None:
    """Raises InvalidInput if a pool that holds so many ``positives`` or ``negatives`` is too small."""
    if held < wanted:
        raise InvalidInput(
            f"the pool has {held} eligible {name}, but {wanted} are needed; ask for {held} or fewer, or attack more "
            "patches (a larger budget, more steps, a larger test split).",
            field=name,
        )


def units(rows: pd.DataFrame) -> list[str]:
    """Per row its group, or the patch itself where no group is known."""
    pairs = zip(rows["group"].fillna("").astype(str), rows["patch_id"].astype(str), strict=True)
    return [f"group {group}" if group else f"patch {patch}" for group, patch in pairs]


def _over_groups(groups: list[str], wanted: int, draws: Draws, first: set[str]) -> list[int]:
    """Rows drawn one group after the other in random order, round by round, until there are enough.

    Groups among ``first`` are emptied before the others give any row.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    drawn: list[int] = []
    for preferred in (True, False):
        rows_of = [rows for group, rows in members.items() if (group in first) == preferred]
        urns = draws.shuffled([draws.shuffled(rows) for rows in rows_of])
        drawn += [urn[turn] for turn in range(max(map(len, urns), default=0)) for urn in urns if turn < len(urn)]
    return drawn[:wanted]
