"""The power of what is being chosen in the study builder; answered at once, computed by another process."""

from collections.abc import Mapping
from typing import Any

from core.errors import InvalidInput
from core.requests import form_class
from study.conduct import planner
from study.design.quick_power import assumed
from study.protocol.decided import PAPER, arm_order
from study.protocol.requests import PowerQuery

ASSUMPTIONS = ("patches", "readers", "sets", "margin", "alpha", "tpf", "difference")

NAMES = {"patches": "positives", "readers": "planned_readers", "sets": "copies"}
"""What the builder calls the assumptions."""
NEEDED = ("positives", "copies", "alpha", "planned_readers")
"""Without these nothing can be worked out, and while they are being typed that is no error."""


def power_of(query: dict[str, Any]) -> dict[str, Any]:
    """``assumptions``, ``one_reading`` and, where it can be simulated, ``crossed``; both null while ``calculating``.

    ``query`` holds validated settings of ``PowerQuery``. Another process computes; ask again until it has.

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
    """How often a reader meets a stimulus: once per set, or where twins lie in different sets once per as many sets as
    a case has arms."""
    pairs = query.get("pairs")
    altered = len(query["variants"] or pairs.variants) if pairs else 1 + len(query["further_attacks"])
    arms = 1 + altered + query["noise"]
    order = arm_order(query["task"], query["arm_order"], arms=arms, copies=query["copies"])
    return int(query["copies"]) if order == PAPER else int(query["copies"]) // arms


def power_shown(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """``power_of`` what the builder shows, as the page sends or holds it; or ``error``, in words for the page."""
    form = form_class(PowerQuery)(chosen)
    if any(chosen.get(name) in (None, "") for name in NEEDED):
        return {"error": "Fill in cases, sets, margin and level to see the power."}
    if not form.is_valid():
        name, messages = next(iter(form.errors.items()))
        return {"error": f"{form.fields[name].label}: {messages[0]}"}
    try:
        return power_of(form.cleaned_data)
    except InvalidInput as error:
        field = form.fields.get(error.field)
        return {"error": f"{field.label}: {error.message}" if field else error.message}


def _power(patches: int, readers: int, sets: int, margin: float, alpha: float) -> dict[str, Any]:
    made = assumed(patches=patches, readers=readers, sets=sets, margin=margin, alpha=alpha)
    found = planner.quick(made)
    about = {name: getattr(made, name) for name in ASSUMPTIONS}
    return {"assumptions": about, "calculating": found is None} | (found or {"one_reading": None, "crossed": None})
