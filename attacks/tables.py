"""The table of an attack's perturbations as a page shows it: its columns, their headings, its order."""

from typing import Any

import pandas as pd

from attacks.models import Attack
from attacks.selectors import perturbation_table

COLUMNS = {
    "patch": "Patch",
    "tumour": "Tumour",
    "flipped": "Flipped",
    "prob_before": "P before",
    "prob_after": "P after",
    "steps": "Steps",
    "l0": "L0",
    "l1": "L1",
    "l2": "L2",
    "linf": "Linf",
}
NUMBERS = tuple(COLUMNS)[3:]


def sorted_table(attack: Attack, sort: str) -> pd.DataFrame:
    """``perturbation_table`` by the column that ``sort`` names, falling after a minus; as it was read for any other."""
    table, name = perturbation_table(attack), sort.removeprefix("-")
    return table.sort_values(name, ascending=name == sort, kind="stable") if name in COLUMNS else table


def headings(sort: str) -> list[dict[str, Any]]:
    """Title, whether numbers stand under it, ``?sort=`` of its link, and ``aria-sort`` of each column."""
    return [
        {
            "title": title,
            "number": name in NUMBERS,
            "link": f"-{name}" if sort == name else name,
            "order": {name: "ascending", f"-{name}": "descending"}.get(sort, ""),
        }
        for name, title in COLUMNS.items()
    ]
