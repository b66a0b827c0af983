"""Reading studies. Only this module knows who may see an arm, and when."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from attacks.models import Attack, PairSet
from core.access import in_team, is_researcher
from core.errors import InvalidInput, NotYet
from study.models import Assignment, Presentation, Response, ScheduleSecret, Slot, Stimulus, Study


class StillBlinded(NotYet):
    """The arms of a study were asked for before it was unblinded."""


def get_study(slug: str) -> Study:
    try:
        return Study.objects.get(slug=slug)
    except Study.DoesNotExist:
        known = ", ".join(Study.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise InvalidInput(f"There is no study '{slug}'. Studies: {known}.") from None


def studies_for(user: Any) -> QuerySet[Study]:
    """The studies that this researcher may know of: those of their teams and those of no team; all for admins."""
    return in_team(user, Study.objects.all())


# --- Who may do what ------------------------------------------------------------------------------------------------


def arms_open(study: Study) -> bool:
    """Whether researchers may see arms: only after the one-way, logged unblinding."""
    return study.state == Study.State.UNBLINDED


def demand_arms_open(study: Study) -> None:
    if not arms_open(study):
        raise StillBlinded(
            f"Study '{study.slug}' is {study.get_state_display()}: its results stay closed until it is closed and "
            f"unblinded. `manage.py close_study {study.slug} --unblind --by NAME` does both and logs who did it."
        )


def has_seen_arms(user: Any, study: Study) -> bool:
    """Whether this person may have seen an arm of this study, and so may not read it.

    Researchers and admins can see every perturbed patch. So could everybody who was one after the first of the study's
    attacks (or its pairs) was made.
    """
    if is_researcher(user):
        return True
    if user.arms_seen_until is None:
        return False
    arms = [study.source.get("attack") or {}, *(study.source.get("further_attacks") or [])]
    names = {arm.get("name", "") for arm in arms}
    sources = [
        source
        for model in (Attack, PairSet)
        for source in model.objects.filter(name__in=names).values_list("name", "created_at")
    ]
    deleted = names - {name for name, _ in sources}  # nobody knows any more when they were made
    return bool(deleted) or user.arms_seen_until >= min(created_at for _, created_at in sources)


# --- Without arms ---------------------------------------------------------------------------------------------------


def counted_studies(user: Any) -> QuerySet[Study]:
    """The studies that this researcher may see, with the numbers of their cases and readers."""
    return (
        studies_for(user)
        .defer("protocol", "source")
        .annotate(
            case_count=Count("cases", distinct=True),
            reader_count=Count("assignments", filter=Q(assignments__withdrawn_at=None), distinct=True),
        )
    )


def with_progress(studies: Iterable[Study]) -> Sequence[Study]:
    """The studies with their progress, which says nothing about arms."""
    studies = list(studies)
    for study in studies:
        # Set for the template: rows of the list show them beside the study's own fields.
        study.planned, study.answered = progress_counts(study)  # type: ignore[attr-defined]
        study.results_open = arms_open(study)  # type: ignore[attr-defined]
    return studies


def progress_counts(study: Study) -> tuple[int, int]:
    """Numbers of planned and of answered presentations, over all readers who were not withdrawn."""
    taking_part = {"reading_set__assignment__study": study, "reading_set__assignment__withdrawn_at": None}
    made = Presentation.objects.filter(**taking_part)
    planned: QuerySet[Any] = Slot.objects.filter(**taking_part) if study.adaptive else made
    return planned.count(), made.filter(responses__revision=1).count()


def progress_by_reader(study: Study) -> list[Mapping[str, Any]]:
    """Per reader and set: planned and answered presentations."""
    rows: list[Mapping[str, Any]] = list(
        Presentation.objects.filter(reading_set__assignment__study=study)
        .values(reader=F("reading_set__assignment__code"), set=F("reading_set__number"))
        .annotate(planned=Count("pk", distinct=True), answered=Count("responses__presentation", distinct=True))
        .order_by("reader", "set")
    )
    if not study.adaptive:  # an adaptive set has a place for each, of which presentations are made one by one
        return rows
    answered = {(row["reader"], row["set"]): row["answered"] for row in rows}
    places = (
        Slot.objects.filter(reading_set__assignment__study=study)
        .values(reader=F("reading_set__assignment__code"), set=F("reading_set__number"))
        .annotate(planned=Count("pk"))
        .order_by("reader", "set")
    )
    return [{**row, "answered": answered.get((row["reader"], row["set"]), 0)} for row in places]


def assignments_of(study: Study) -> QuerySet[Assignment]:
    return Assignment.objects.filter(study=study).select_related("reader").order_by("code")


# --- With arms: each function raises StillBlinded before unblinding -------------------------------------------------


def disclosed_secret(study: Study) -> str:
    """What the schedules were drawn from besides the seed; ``""`` where they were frozen before there were secrets."""
    demand_arms_open(study)
    return ScheduleSecret.objects.filter(study=study).values_list("value", flat=True).first() or ""


def unblinded_presentations(study: Study) -> QuerySet[Presentation]:
    """Every presentation with its stimulus, case and reader, in order of reading."""
    demand_arms_open(study)
    return (
        Presentation.objects.filter(reading_set__assignment__study=study)
        .select_related("reading_set__assignment", "stimulus__case", "second__case")
        .order_by("reading_set__assignment__code", "reading_set__number", "position")
    )


def unblinded_responses(study: Study) -> QuerySet[Response]:
    """Every revision of every response, in order of reading."""
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
    """Every stimulus with its case and arm."""
    demand_arms_open(study)
    return Stimulus.objects.filter(case__study=study).select_related("case").order_by("case__number", "arm")
