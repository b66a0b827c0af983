"""The power of what is being chosen in the study builder, in a fraction of a second."""

from functools import lru_cache
from typing import Any

from core.errors import InvalidInput
from core.requests import check, fields_of
from study.design.planning import Assumptions
from study.design.power import margin_power, mcnemar_power
from study.models import Study
from study.protocol.requests import PowerQuery

STUDIES = 300
LARGEST = 20_000
"""Readers x patches x sets up to which a simulation answers while somebody waits."""


NAMES = {"patches": "positives", "readers": "planned_readers", "sets": "copies"}
"""What the builder calls the assumptions."""


def power_of(query: dict[str, Any]) -> dict[str, Any]:
    """``assumptions``, ``one_reading`` and, where it can be simulated at once, ``crossed``.

    ``query`` holds validated settings of ``PowerQuery``.

    Raises:
        InvalidInput: a study of this size cannot be planned; names the setting.
    """
    try:
        return _power(
            query["positives"], query["planned_readers"], _readings(query), query["margin"] or 0.10, query["alpha"]
        )
    except InvalidInput as error:
        raise InvalidInput(error.message, field=NAMES.get(error.field, error.field)) from error


def _readings(query: dict[str, Any]) -> int:
    """How often a reader meets a stimulus: once per set, or where twins lie in different sets once per two sets."""
    sets = int(query["copies"])
    if query["arm_order"] == Study.ArmOrder.PAPER or (query["arm_order"] is None and sets % 2):
        return sets
    return max(1, sets // 2)


def power_shown(chosen: dict[str, Any]) -> dict[str, Any]:
    """``power_of`` what the builder shows, as text or values; or ``error``, in words for the page."""
    fields = fields_of(PowerQuery)
    if any(chosen.get(name) in (None, "") for name in fields if not fields[name].allow_null):
        return {"error": "Fill in cases, sets, margin and level to see the power."}
    sent = {name: None if chosen.get(name) == "" else chosen.get(name) for name in fields}
    try:
        return power_of(check(PowerQuery, sent))
    except InvalidInput as error:
        return {"error": f"{fields[error.field].label}: {error.message}" if error.field in fields else error.message}


@lru_cache(maxsize=256)
def _power(patches: int, readers: int, sets: int, margin: float, alpha: float) -> dict[str, Any]:
    assumed = Assumptions(
        patches=patches,
        readers=readers,
        sets=sets,
        margin=margin,
        alpha=alpha,
        largest=max(patches, 10),
        studies=STUDIES,
    )
    assumed.check()
    drop, none = assumed.cells(assumed.difference), assumed.cells(0.0)
    found: dict[str, Any] = {
        "assumptions": {
            "patches": patches,
            "readers": readers,
            "sets": sets,
            "margin": margin,
            "alpha": alpha,
            "tpf": assumed.tpf,
            "difference": assumed.difference,
        },
        "one_reading": {
            "different": mcnemar_power(patches, drop, alpha),
            "non_inferior": margin_power(patches, none, margin, alpha, two_sided=False),
            "equivalent": margin_power(patches, none, margin, alpha, two_sided=True),
        },
        "crossed": None,
    }
    if readers * patches * sets <= LARGEST and patches >= 4:
        changed = assumed.simulate(assumed.difference, patches).claims(patches, margin=margin, alpha=alpha)
        unchanged = assumed.simulate(0.0, patches).claims(patches, margin=margin, alpha=alpha)
        found["crossed"] = {
            "different": changed.different,
            "non_inferior": unchanged.non_inferior,
            "equivalent": unchanged.equivalent,
            "studies": STUDIES,
        }
    return found
