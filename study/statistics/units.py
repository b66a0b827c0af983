"""The unit of inference: what was drawn independently, the slide or patient of a patch where it is known."""

import pandas as pd

FEWEST_GROUPS = 10
"""With fewer slides or patients than this their spread is not known well enough, and nothing is claimed."""


def unit_of(rows: pd.DataFrame) -> pd.Series:
    """Per row of a checked tidy table the name of its unit: the group where there is one, else the patch itself.

    Patches of one slide share what is lost on it, so that they are not independent draws. A patch without a group
    counts as a group of its own; names are prefixed, so that a slide and a patch of one name stay apart.
    """
    patch = "patch " + rows["patch_id"].astype(str)
    if "group" not in rows:
        return patch
    known = rows["group"].notna() & (rows["group"].astype(str) != "")
    return ("group " + rows["group"].astype(str)).where(known, patch)


def known_per_class(rows: pd.DataFrame) -> dict[str, int]:
    """How many slides or patients carry patches with and without tumour; empty where they are not all known."""
    if "group" not in rows or rows.empty:
        return {}
    groups = rows["group"].fillna("").astype(str)
    if (groups == "").any():
        return {}
    truth = rows["truth"].astype(bool)
    return {"tumour": int(groups[truth].nunique()), "no_tumour": int(groups[~truth].nunique())}


def grouped(rows: pd.DataFrame) -> bool:
    """Whether any patch shares its unit with another one."""
    units = pd.DataFrame({"patch": rows["patch_id"], "unit": unit_of(rows)}).drop_duplicates()
    return bool(units["unit"].duplicated().any())
