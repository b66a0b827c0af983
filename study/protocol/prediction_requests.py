"""Asking for what readers are predicted to see. What computes it is in ``predicting``, which no page may import."""

from collections.abc import Sequence
from typing import Any

from core.errors import InvalidInput
from core.extras import CVVDP
from jobs.models import Job
from jobs.services import submit_once
from study.models import Response, Stimulus, Study
from study.statistics.visibility.display import pixels_per_degree

KIND = "predict_visibility"


def displays_of(study: Study) -> list[int]:
    """The sizes at which readers of the study saw its images, in pixels per degree."""
    answers = Response.objects.filter(presentation__reading_set__assignment__study=study).order_by()
    rows = answers.values_list("session__viewing", "viewing__scale").distinct()
    found = {pixels_per_degree(session, {"scale": scale}) for session, scale in rows.iterator()}
    return sorted(size for size in found if size is not None)


def ask(*, study: Study, by: Any) -> Job | None:
    """A job, or the one that has been asked for and has not ended; None where everything is predicted.

    Raises:
        InvalidInput: cvvdp is not installed, or no reader's display was measured.
    """
    sizes = demand_displays(study)
    if not CVVDP.installed:
        raise InvalidInput(CVVDP.missing)
    if not _lacking(study, sizes):
        return None
    asked = {"requested_by": by, "team": study.team, "title": f"Predict what is seen: {study.name}"[:200]}
    return submit_once(kind=KIND, arguments={"study": study.slug}, **asked)


def demand_displays(study: Study) -> list[int]:
    """As ``displays_of``; InvalidInput where there is none."""
    sizes = displays_of(study)
    if not sizes:
        raise InvalidInput(
            f"no reader of study '{study.slug}' measured screen and distance, so that the size on the retina is not "
            "known; give one.",
            field="pixels_per_degree",
        )
    return sizes


def state_of(study: Study) -> dict[str, Any]:
    """What a page says: the ``sizes`` of the readers' displays, ``lacking`` images without a prediction at one of them,
    the ``job`` that is at work on them, and what is ``missing`` on this machine."""
    sizes = displays_of(study)
    lacking = _lacking(study, sizes) if sizes else 0
    jobs = Job.objects.filter(kind=KIND, state__in=Job.ACTIVE) if lacking else Job.objects.none()
    return {
        "sizes": sizes,
        "lacking": lacking,
        "job": next((job for job in jobs if job.arguments == {"study": study.slug}), None),
        "missing": "" if CVVDP.installed else CVVDP.missing,
    }


def _lacking(study: Study, sizes: Sequence[int]) -> int:
    """Images without a prediction at one of the sizes; one without its original has nothing to be compared with."""
    comparable = Stimulus.objects.filter(case__study=study, case__stimuli__arm="original")
    return comparable.exclude(predicted__has_keys=[str(size) for size in sizes]).count()
