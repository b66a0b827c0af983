"""The table of a comparison, as pages, commands and files show it. No torch."""

from typing import Any

from attacks.models import Comparison
from core.measures import named

COLUMNS = ("measure", "first", "second", "difference", "low", "high", "n")


def table_of(comparison: Comparison) -> list[dict[str, Any]]:
    """One row per measure: both numbers, second - first with its 95 % interval, patches; and whether it excludes 0."""
    rows = []
    for row in comparison.result.get("rows", []):
        told = {name: row.get(name) for name in COLUMNS}
        limits = (row.get("low"), row.get("high"))
        told["excludes_0"] = None not in limits and (limits[0] > 0 or limits[1] < 0)
        words = _in_words(row["measure"])
        rows.append(told | {"measure": f"{words} (cases of the study)" if row.get("of") == "cases" else words})
    return rows


def _in_words(measure: str) -> str:
    what, _, of = measure.partition(", ")
    if not of:
        return what[:1].upper() + what[1:]
    norm, _, budget = of.partition(" ")
    return f"{what[:1].upper()}{what[1:]}, {named(norm)}{f' {budget}' if budget else ''}"


def report(comparison: Comparison) -> dict[str, Any]:
    """What the command prints."""
    return {
        "comparison": comparison.name,
        "first": comparison.first.name,
        "second": comparison.second.name,
        "patches": comparison.result["patches"],
        "groups": comparison.result["groups"],
        "table": table_of(comparison),
        "warnings": comparison.result["warnings"],
        "seed": comparison.settings["seed"],
        "norms": comparison.settings["norms"],
        "weights_sha256": [comparison.first.weights_sha256, comparison.second.weights_sha256],
        "code_version": comparison.code_version,
    }
