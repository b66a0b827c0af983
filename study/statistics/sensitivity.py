"""Other ways to answer the primary question, fixed beforehand: none of them gives a verdict of its own."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from study.statistics.endpoint import endpoint, primary_of
from study.statistics.gee import gee
from study.statistics.tipping import tipping
from study.statistics.units import unit_of


def sensitivity(rows: pd.DataFrame, **asked: Any) -> dict[str, Any]:
    """GEE; without the flagged answers; by how many missing answers the verdict tips. None where not called for.

    ``rows`` are of one truth, the compared arms named ``original`` and ``perturbed``; ``asked`` goes to
    :func:`endpoint`.
    """

    def primary(part: pd.DataFrame):
        return endpoint(part, "perturbed", **asked).primary

    def verdict(part: pd.DataFrame) -> str | None:
        given = part[part["correct"].notna()]
        if given.empty or given.groupby("reader_id")["arm"].nunique().min() < 2:
            found = primary(part)
            return None if found is None else found.verdict
        return primary_of(given, asked["margin"], asked["level"], withheld=asked.get("withheld", ""))[0].verdict

    answered = rows[rows["correct"].notna()]
    return {
        "gee": gee(
            answered["correct"].to_numpy(),
            (answered["arm"] == "perturbed").to_numpy(),
            unit_of(answered).to_numpy(),
            answered["reader_id"].to_numpy(),
        ),
        "per_protocol": _per_protocol(rows, primary) if rows["excluded"].any() else None,
        "tipping_point": tipping(rows, verdict),
    }


def _per_protocol(rows: pd.DataFrame, primary: Callable[[pd.DataFrame], Any]) -> dict[str, Any] | None:
    found = primary(rows[~rows["excluded"]])
    if found is None or found.delta is None:
        return None
    return {"delta": found.delta, "ci": found.ci, "level": found.level, "verdict": found.verdict}
