"""What a reader may see: reads for the reading room, and nothing here touches an arm, a truth or a patch's name.

The *window* is all that a reader can name: the presentation just answered (its answer may be changed), the one whose
turn it is, and the one directly after it (so that its bytes can be fetched ahead). Everything else does not exist for
a browser. An older presentation stays shut so that two twins can never be laid side by side.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from study.models import Assignment, GuideImage, Presentation, ReadingSession, ReadingSet, Response, Stimulus, Study
from study.prepared import Prepared, columns, instance
from study.selectors import has_seen_arms, is_reader


class Stage(StrEnum):
    """Where a reader stands in a study; the viewing check comes with every sitting and is no stage."""

    WITHDRAWN = "withdrawn"
    NOT_OPEN = "not_open"
    CLOSED = "closed"
    CONSENT = "consent"
    PRACTICE = "practice"
    READING = "reading"
    SET_DONE = "set_done"
    WASHOUT = "washout"
    QUESTIONNAIRE = "questionnaire"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Place:
    """A reader's place in a study. ``reading_set`` is the first set that is not finished; None after the last."""

    stage: Stage
    assignment: Assignment
    sets: int
    reading_set: ReadingSet | None = None
    count: int = 0
    answered: int = 0
    opens_at: datetime | None = None
    window: dict[int, Presentation] = field(default_factory=dict)

    def reaches(self, position: int) -> bool:
        """Whether a presentation of the present set may be named."""
        return self.stage in (Stage.READING, Stage.SET_DONE) and 0 <= position - self.answered <= 2

    def after_answer(self) -> "Place":
        """The place that follows when the current presentation has got its answer."""
        answered = self.answered + 1
        return replace(self, answered=answered, stage=Stage.READING if answered < self.count else Stage.SET_DONE)

    @property
    def previous(self) -> Presentation | None:
        return self.window.get(self.answered)

    @property
    def current(self) -> Presentation | None:
        return self.window.get(self.answered + 1)

    @property
    def next(self) -> Presentation | None:
        return self.window.get(self.answered + 2)


def assignments_of(user: Any) -> QuerySet[Assignment]:
    """The reader's studies. The protocol and the source name arms and can be large: they are never loaded here.

    A seat is worth nothing to somebody who may have seen the arms since they got it.
    """
    seats = Assignment.objects.filter(reader=user).exclude(study__state__in=[Study.State.DRAFT, Study.State.FROZEN])
    if not is_reader(user) or user.office_until is not None:
        seen = [seat.study_id for seat in seats.select_related("study") if has_seen_arms(user, seat.study)]
        seats = seats.exclude(study__in=seen)
    return (
        seats.select_related("study").defer("study__protocol", "study__source", "questionnaire").order_by("-invited_at")
    )


_HIDDEN = ("protocol", "source")
_SEAT = columns(Assignment, without=("questionnaire",))
_STUDY = columns(Study, without=_HIDDEN, prefix="study__")
_seat = Prepared(
    lambda user, slug: (
        Assignment.objects.filter(reader=user, study__slug=slug)
        .exclude(study__state__in=[Study.State.DRAFT, Study.State.FROZEN])
        .order_by()
        .values_list(*_SEAT, *_STUDY)
    ),
    int,
    str,
)


def assignment_of(user: Any, slug: str) -> Assignment | None:
    """The reader's seat in a study, with the study (but for what names arms); None where they have none."""
    if not is_reader(user) or user.office_until is not None:
        return assignments_of(user).filter(study__slug=slug).first()
    for row in _seat(user.pk, slug):
        return _seated(row)
    return None


def _seated(row: tuple) -> Assignment:
    assignment = instance(Assignment, _SEAT, row[: len(_SEAT)])
    assignment.study = instance(Study, _STUDY, row[len(_SEAT) : len(_SEAT) + len(_STUDY)], "study__")
    return assignment


def opening_time(reading_set: ReadingSet, before: ReadingSet | None) -> datetime | None:
    """When a set opens: the first at once (None), each later one its wash-out after the end of the one before it."""
    if before is None or before.completed_at is None:
        return None
    return before.completed_at + timedelta(hours=reading_set.assignment.study.washout_hours)


def _shut(assignment: Assignment) -> Stage | None:
    if assignment.withdrawn_at:
        return Stage.WITHDRAWN
    state = assignment.study.state
    if state in (Study.State.DRAFT, Study.State.FROZEN):
        return Stage.NOT_OPEN
    return None if state == Study.State.OPEN else Stage.CLOSED


def _practice_due(assignment: Assignment) -> bool:
    """Practice patches are single ones with a label, so they belong to the labelling task."""
    study = assignment.study
    return assignment.practised_at is None and study.practice_count > 0 and study.task == Study.Task.LABELLING


def _number_of(rows: QuerySet, reading_set: str) -> Coalesce:
    """How many ``rows`` belong to the set of the outer query."""
    counted = rows.filter(**{reading_set: OuterRef("pk")}).order_by().values(reading_set).annotate(n=Count("pk"))
    return Coalesce(Subquery(counted.values("n")), 0)


_SET = columns(ReadingSet)
_sets = Prepared(
    lambda assignment: (
        ReadingSet.objects.filter(assignment=assignment)
        .annotate(
            count=_number_of(Presentation.objects.all(), "reading_set"),
            # Presentations are answered in order, so this is also the last answered position.
            answered=_number_of(Response.objects.filter(revision=1), "presentation__reading_set"),
        )
        .order_by("number")
        .values_list(*_SET, "count", "answered")
    ),
    int,
)


def _counted_sets(assignment: Assignment) -> list[ReadingSet]:
    """The reader's sets in order, each with ``count`` and ``answered`` presentations: one query for all of them."""
    rows = []
    for *values, count, answered in _sets(assignment.pk):
        row = instance(ReadingSet, _SET, tuple(values))
        row.assignment, row.count, row.answered = assignment, count, answered
        rows.append(row)
    return rows


def answered_in(reading_set: ReadingSet) -> int:
    """Presentations of the set with an answer."""
    return Response.objects.filter(presentation__reading_set=reading_set, revision=1).count()


_PRESENTATION = columns(Presentation)
_between = Prepared(
    lambda reading_set, first, last: (
        Presentation.objects.filter(reading_set=reading_set, position__gte=first, position__lte=last)
        .order_by("position")
        .values_list(*_PRESENTATION)
    ),
    int,
    int,
    int,
)


def _near(reading_set: ReadingSet, answered: int, ahead: int) -> dict[int, Presentation]:
    rows = _between(reading_set.pk, answered, answered + ahead)
    near = [instance(Presentation, _PRESENTATION, row) for row in rows]
    return {presentation.position: presentation for presentation in near}


def place_of(assignment: Assignment, *, ahead: int = 2) -> Place:
    """Where the reader stands now, with the window that they may name.

    Args:
        ahead: how many presentations after the last answered one are loaded; 0 for none, where only numbers matter.
    """
    sets = _counted_sets(assignment)
    number = next((index for index, one in enumerate(sets) if one.completed_at is None), None)
    place = {"assignment": assignment, "sets": len(sets)}
    if shut := _shut(assignment):
        return Place(stage=shut, **place)
    if number is None:
        done = assignment.questionnaire_at is not None
        return Place(stage=Stage.FINISHED if done else Stage.QUESTIONNAIRE, **place)
    current = sets[number]
    place |= {"reading_set": current, "count": current.count}
    if assignment.consented_at is None:
        return Place(stage=Stage.CONSENT, **place)
    if _practice_due(assignment):
        return Place(stage=Stage.PRACTICE, **place)
    opens_at = opening_time(current, sets[number - 1] if number else None)
    if opens_at and opens_at > timezone.now():
        return Place(stage=Stage.WASHOUT, opens_at=opens_at, **place)
    place |= {"answered": current.answered, "opens_at": opens_at}
    stage = Stage.READING if current.answered < current.count else Stage.SET_DONE
    return Place(stage=stage, window=_near(current, current.answered, ahead) if ahead else {}, **place)


def current_response(presentation: Presentation) -> Response | None:
    """The latest revision of a presentation's answer."""
    return presentation.responses.order_by("-revision").first()


_named = Prepared(
    lambda token, again, user: Presentation.objects.filter(
        Q(token=token) | Q(second_token=again), reading_set__assignment__reader=user
    )
    .exclude(reading_set__assignment__study__state__in=[Study.State.DRAFT, Study.State.FROZEN])
    .order_by()
    .values_list(
        *columns(Assignment, without=("questionnaire",), prefix="reading_set__assignment__"),
        *columns(Study, without=_HIDDEN, prefix="reading_set__assignment__study__"),
        "reading_set_id", "position", "token", "stimulus__image", "stimulus__sha256", "second__image", "second__sha256",
    ),
    str,
    str,
    int,
)  # fmt: skip


def servable_stimulus(user: Any, token: str) -> Stimulus | None:
    """The stimulus behind an image token, when it lies in the reader's window; None for everything else.

    It holds the image and its hash alone.
    """
    for row in _named(token, token, user.pk):
        assignment = _seated(row)
        reading_set, position, first_token, *images = row[-7:]
        if (not is_reader(user) or user.office_until is not None) and has_seen_arms(user, assignment.study):
            return None
        place = place_of(assignment, ahead=0)
        if place.reading_set is None or place.reading_set.pk != reading_set or not place.reaches(position):
            return None
        image, sha256 = images[:2] if token == first_token else images[2:]
        return Stimulus(image=image, sha256=sha256) if image else None
    return None


def servable_guide(user: Any, token: str) -> GuideImage | None:
    """An example or practice patch of a study that this reader takes part in."""
    mine = GuideImage.objects.filter(token=token, study__assignments__reader=user)
    return mine.only("image", "sha256").first()


def guides(study: Study, kind: str) -> list[GuideImage]:
    return list(study.guide_images.filter(kind=kind).order_by("number"))


def latest_sitting(assignment: Assignment) -> int | None:
    """The reader's newest sitting, for answers that come after signing in again."""
    sittings = ReadingSession.objects.filter(assignment=assignment).order_by("-started_at")
    return sittings.values_list("pk", flat=True).first()


def sets_of(assignment: Assignment) -> list[dict[str, Any]]:
    """Every set with its counts and times, for the study's own page."""
    described, before = [], None
    for row in _counted_sets(assignment):
        opens_at = opening_time(row, before)
        reached = row.completed_at is None and (before is None or before.completed_at is not None)
        described.append(
            {
                "number": row.number,
                "count": row.count,
                "answered": row.answered,
                "completed_at": row.completed_at,
                "opens_at": opens_at,
                "open": reached and (opens_at is None or opens_at <= timezone.now()),
            }
        )
        before = row
    return described
