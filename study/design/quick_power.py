"""The power of what is being chosen in the study builder: one reading exactly, all readers and sets by simulation."""

from typing import Any

from study.design.planning import Assumptions
from study.design.power import margin_power, mcnemar_power

STUDIES = 300
LARGEST = 20_000
"""Readers x patches x sets up to which a simulation takes a few seconds at most."""


def assumed(*, patches: int, readers: int, sets: int, margin: float, alpha: float) -> Assumptions:
    """Raises InvalidInput, naming the assumption, if nothing can be worked out with these."""
    made = Assumptions(
        patches=patches,
        readers=readers,
        sets=sets,
        margin=margin,
        alpha=alpha,
        largest=max(patches, 10),
        studies=STUDIES,
    )
    made.check()
    return made


def power_of_reading(made: Assumptions) -> dict[str, float]:
    """A single reading, exactly."""
    drop, none = made.cells(made.difference), made.cells(0.0)
    return {
        "different": mcnemar_power(made.patches, drop, made.alpha),
        "non_inferior": margin_power(made.patches, none, made.margin, made.alpha, two_sided=False),
        "equivalent": margin_power(made.patches, none, made.margin, made.alpha, two_sided=True),
    }


def power_of_study(made: Assumptions) -> dict[str, float] | None:
    """All readers and sets; None where the study is too large to be simulated beside a form, or too small."""
    if made.readers * made.patches * made.sets > LARGEST or made.patches < 4:
        return None
    limits = {"margin": made.margin, "alpha": made.alpha}
    changed = made.simulate(made.difference, made.patches).claims(made.patches, **limits)
    unchanged = made.simulate(0.0, made.patches).claims(made.patches, **limits)
    return {
        "different": changed.different,
        "non_inferior": unchanged.non_inferior,
        "equivalent": unchanged.equivalent,
        "studies": STUDIES,
    }


def quick_power(made: Assumptions) -> dict[str, Any]:
    """Both; seconds of work at most."""
    return {"one_reading": power_of_reading(made), "crossed": power_of_study(made)}
