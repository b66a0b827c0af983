"""The power of what is being chosen in the study builder, in a fraction of a second."""

from functools import lru_cache
from typing import Any

from core.errors import InvalidInput
from study.design.planning import Assumptions
from study.design.power import margin_power, mcnemar_power

STUDIES = 300
LARGEST = 20_000
"""Readers x patches x sets up to which a simulation answers while somebody waits."""


def power_of(chosen: dict[str, Any]) -> dict[str, Any]:
    """``assumptions``, ``one_reading`` and, where it can be simulated at once, ``crossed``; or ``error``.

    ``chosen`` holds the builder's fields as text: positives, copies, margin, alpha, planned_readers.
    """
    try:
        return _power(*_numbers(chosen))
    except InvalidInput as error:
        return {"error": str(error)}
    except (KeyError, TypeError, ValueError):
        return {"error": "Fill in cases, sets, margin and level to see the power."}


def _numbers(chosen: dict[str, Any]) -> tuple[int, int, int, float, float]:
    return (
        int(chosen["positives"]),
        int(chosen.get("planned_readers") or 1),
        int(chosen["copies"]),
        float(chosen["margin"] or 0.10),
        float(chosen["alpha"]),
    )


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
