"""Asking for the measures of what has none yet: how different altered images look."""

from typing import Any

from attacks.measuring import unmeasured
from attacks.models import Attack, PairSet
from jobs.models import Job
from jobs.services import submit_once

KIND = "measures"


def measure_attack(*, attack: Attack, by: Any) -> Job | None:
    """A job, or the one that has been asked for and has not ended; None where nothing is left to measure."""
    if not unmeasured(attack.perturbations.all()).exists():
        return None
    return submit_once(kind=KIND, arguments={"attack": attack.name}, requested_by=by, title=f"Measure {attack.name}")


def measure_pairs(*, pair_set: PairSet, by: Any) -> Job | None:
    """As ``measure_attack``, of imported pairs."""
    if not unmeasured(pair_set.pairs.all()).exists():
        return None
    return submit_once(kind=KIND, arguments={"pairs": pair_set.name}, requested_by=by, title=f"Measure {pair_set.name}")


def measures_of_attack(attack: Attack) -> dict[str, Any]:
    """What a page says of them: ``lacking`` images without measures, and the ``job`` that is at work on them."""
    return _state(unmeasured(attack.perturbations.all()).count(), {"attack": attack.name})


def measures_of_pairs(pair_set: PairSet) -> dict[str, Any]:
    """As ``measures_of_attack``, of imported pairs."""
    return _state(unmeasured(pair_set.pairs.all()).count(), {"pairs": pair_set.name})


def _state(lacking: int, arguments: dict[str, str]) -> dict[str, Any]:
    asked = Job.objects.filter(kind=KIND, state__in=Job.ACTIVE, parent=None) if lacking else Job.objects.none()
    return {"lacking": lacking, "job": next((job for job in asked if job.arguments == arguments), None)}
