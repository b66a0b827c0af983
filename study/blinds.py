"""Reads. This is the only place that knows who may see an arm, and when."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from attacks.models import Attack, PairSet
from core.access import is_researcher
from core.errors import InvalidInput, NotYet
from study.models import Assignment, Presentation, Response, Stimulus, Study


class StillBlinded(NotYet):
    """The arms of a study were asked for before it was unblinded."""


def get_study(slug: str) -> Study:
    try:
        return Study.objects.get(slug=slug)
    except Study.DoesNotExist:
        known = ", ".join(Study.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise InvalidInput(f"There is no study '{slug}'. Studies: {known}.") from None


# --- Who may do what ------------------------------------------------------------------------------------------------


def arms_open(study: Study) -> bool:
    """Whether anybody may see an arm: after the one-way, logged unblinding alone."""
    return study.state == Study.State.UNBLINDED


def demand_arms_open(study: Study) -> None:
    if not arms_open(study):
        raise StillBlinded(
            f"Study '{study.slug}' is {study.get_state_display()}: its results stay closed until it is closed and "
            f"unblinded. `manage.py close_study {study.slug} --unblind --by NAME` does both and logs who did it."
        )


def has_seen_arms(user: Any, study: Study) -> bool:
    """Whether this person may know an arm of this study, and so may not read it.

    Researchers and admins can look at every perturbed patch; so could anybody who was one at any time since the
    first of the study's attacks (or its pairs) came to be.
    """
    if is_researcher(user):
        return True
    if user.arms_seen_until is None:
        return False
    arms = [study.source.get("attack") or {}, *(study.source.get("further_attacks") or [])]
    names = {arm.get("name", "") for arm in arms}
    since = [
        found
        for model in (Attack, PairSet)
        for found in model.objects.filter(name__in=names).values_list("name", "created_at")
    ]
    gone = names - {name for name, _ in since}
    return bool(gone) or user.arms_seen_until >= min(made for _, made in since)


# --- Free of arms ---------------------------------------------------------------------------------------------------


def studies_with_progress() -> Sequence[Study]:
    """Every study with counts that say nothing of an arm."""
    studies = list(
        Study.objects.annotate(
            case_count=Count("cases", distinct=True),
            reader_count=Count("assignments", filter=Q(assignments__withdrawn_at=None), distinct=True),
        )
    )
    for study in studies:
        # Set for the template: rows of the list show them beside the study's own fields.
        study.planned, study.answered = progress_counts(study)  # type: ignore[attr-defined]
        study.results_open = arms_open(study)  # type: ignore[attr-defined]
    return studies


def progress_counts(study: Study) -> tuple[int, int]:
    """Presentations planned and presentations with an answer, over all readers."""
    planned = Presentation.objects.filter(reading_set__assignment__study=study)
    return planned.count(), planned.filter(responses__revision=1).count()


def progress_by_reader(study: Study) -> list[Mapping[str, Any]]:
    """Per reader and set: planned and answered presentations."""
    return list(
        Presentation.objects.filter(reading_set__assignment__study=study)
        .values(reader=F("reading_set__assignment__code"), set=F("reading_set__number"))
        .annotate(planned=Count("pk", distinct=True), answered=Count("responses__presentation", distinct=True))
        .order_by("reader", "set")
    )


def assignments_of(study: Study) -> QuerySet[Assignment]:
    return Assignment.objects.filter(study=study).select_related("reader").order_by("code")


# --- With arms: each function demands that they are open --------------------------------------------------------------


def current_responses() -> QuerySet[Response]:
    """The latest revision of every presentation's answer."""
    latest = Response.objects.filter(presentation=OuterRef("presentation")).order_by("-revision")
    return Response.objects.filter(pk=Subquery(latest.values("pk")[:1]))


def unblinded_presentations(study: Study) -> QuerySet[Presentation]:
    """Every presentation with its stimulus, case, reader and number of revisions, in order of reading."""
    demand_arms_open(study)
    return (
        Presentation.objects.filter(reading_set__assignment__study=study)
        .select_related("reading_set__assignment", "stimulus__case", "second__case")
        .annotate(revisions=Coalesce(Count("responses"), 0))
        .order_by("reading_set__assignment__code", "reading_set__number", "position")
    )


def unblinded_responses(study: Study) -> QuerySet[Response]:
    """Every revision of every answer."""
    demand_arms_open(study)
    return (
        Response.objects.filter(presentation__reading_set__assignment__study=study)
        .select_related("presentation__reading_set__assignment", "presentation__stimulus__case")
        .order_by(
            "presentation__reading_set__assignment__code",
            "presentation__reading_set__number",
            "presentation__position",
            "revision",
        )
    )


def unblinded_stimuli(study: Study) -> QuerySet[Stimulus]:
    demand_arms_open(study)
    return Stimulus.objects.filter(case__study=study).select_related("case").order_by("case__number", "arm")


def model_true_positives(study: Study) -> list[Mapping[str, Any]]:
    """The classifier's correct answers per arm and truth, on the displayed bytes."""
    demand_arms_open(study)
    return list(
        Stimulus.objects.filter(case__study=study, case__excluded=False, model_label__isnull=False)
        .values("arm", truth=F("case__truth"))
        .annotate(n=Count("pk"), correct=Count("pk", filter=Q(model_label=F("case__truth"))))
        .order_by("arm", "truth")
    )
