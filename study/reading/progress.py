"""What a reader may see: reads for the reading room, and nothing here touches an arm, a truth or a patch's name.

The *window* is all that a reader can name: the presentation just answered (its answer may be changed), the one whose
turn it is, and the one directly after it (so that its bytes can be fetched ahead). Everything else does not exist for
a browser. An older presentation stays shut so that two twins can never be laid side by side.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields.files import FieldFile
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.access import is_reader
from core.models import User
from study.blinds import has_seen_arms
from study.models import Assignment, GuideImage, Presentation, ReadingSession, ReadingSet, Response, Stimulus, Study
from study.reading.prepared import Columns, Prepared


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
    if not is_reader(user) or user.arms_seen_until is not None:
        seen = [seat.study_id for seat in seats.select_related("study") if has_seen_arms(user, seat.study)]
        seats = seats.exclude(study__in=seen)
    return (
        seats.select_related("study").defer("study__protocol", "study__source", "questionnaire").order_by("-invited_at")
    )


_READER = ("id", "password", "is_superuser", "username", "is_staff", "is_active", "role", "arms_seen_until")
_SHOWN = ("id", "slug", "name", "state", "task", "questions", "washout_hours", "practice_count")
_IN_READING = (
    "id", "study_id", "reader_id", "code", "consented_at", "practised_at", "withdrawn_at", "questionnaire_at",
)  # fmt: skip


class _Seat:
    """A seat with what a request about an answer or an image needs of its study and its reader."""

    def __init__(self, prefix: str = ""):
        self.parts = (
            Columns(Assignment, only=_IN_READING, prefix=prefix),
            Columns(Study, only=_SHOWN, prefix=f"{prefix}study__"),
            Columns(User, only=_READER, prefix=f"{prefix}reader__"),
        )
        self.names = [name for part in self.parts for name in part]

    def __call__(self, row: list) -> tuple[Assignment, list]:
        """The seat, and the values that are left."""
        made = []
        for part in self.parts:
            made.append(part(row[: len(part)]))
            row = row[len(part) :]
        assignment, assignment.study, assignment.reader = made
        return assignment, row


_seat_columns = _Seat()
_seat = Prepared(
    lambda user, slug: (
        Assignment.objects.filter(reader=user, study__slug=slug)
        .exclude(study__state__in=[Study.State.DRAFT, Study.State.FROZEN])
        .order_by()
        .values_list(*_seat_columns.names)
    ),
    int,
    str,
)


def seat_of(user: int, slug: str) -> Assignment | None:
    """As ``assignment_of``, by the user's primary key, with the reader; whether they may sit there is not asked."""
    for row in _seat(user, slug):
        return _seat_columns(row)[0]
    return None


def may_sit(user: Any, study: Study) -> bool:
    """A seat is worth nothing to somebody who may have seen the arms since they got it."""
    return (is_reader(user) and user.arms_seen_until is None) or not has_seen_arms(user, study)


def assignment_of(user: Any, slug: str) -> Assignment | None:
    """The reader's seat in a study, with the study (but for what names arms); None where they have none."""
    return assignments_of(user).filter(study__slug=slug).first()


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


_SET = Columns(ReadingSet, without=("reopened_at",))
_EVERY = ~Q(pk=None)


def _sets_with_counts(assignment: int, counted: Q) -> QuerySet:
    """The sets in order, with how many presentations and answers they have where ``counted`` says so, else 0.

    Answers are looked up one by one, at the index of their presentation: a join is planned by the size of the table of
    answers, which grows while the plan is kept.
    """
    shown = Presentation.objects.filter(reading_set=OuterRef("pk")).order_by().values("reading_set")
    answer = Response.objects.filter(presentation=OuterRef("pk"), revision=1).order_by().values("revision")[:1]

    def where(number: Count) -> Case:
        counts = Coalesce(Subquery(shown.annotate(n=number).values("n")), 0)
        return Case(When(counted, then=counts), default=0)

    return (
        ReadingSet.objects.filter(assignment=assignment)
        .annotate(
            count=where(Count("pk")),
            # Presentations are answered in order, so this is also the last answered position.
            answered=where(Count(Subquery(answer))),
        )
        .order_by("number")
        .values_list(*_SET, "count", "answered")
    )


_unfinished = Prepared(lambda assignment: _sets_with_counts(assignment, Q(completed_at=None)), int)


def _sets(assignment: Assignment, rows: Iterable[Sequence]) -> list[ReadingSet]:
    """Instances with ``count`` and ``answered`` presentations."""
    made = []
    for *values, count, answered in rows:
        row = _SET(values)
        row.assignment, row.count, row.answered = assignment, count, answered
        made.append(row)
    return made


def answered_in(reading_set: ReadingSet) -> int:
    """Presentations of the set with an answer."""
    return Response.objects.filter(presentation__reading_set=reading_set, revision=1).count()


_PRESENTATION = Columns(Presentation)
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
    near = [_PRESENTATION(row) for row in _between(reading_set.pk, answered, answered + ahead)]
    return {presentation.position: presentation for presentation in near}


def place_of(assignment: Assignment, *, ahead: int = 2) -> Place:
    """Where the reader stands now, with the window that they may name.

    Args:
        ahead: how many presentations after the last answered one are loaded; 0 for none, where only numbers matter.
    """
    sets = _sets(assignment, _unfinished(assignment.pk))
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


_named_seat = _Seat("reading_set__assignment__")
_named = Prepared(
    lambda token, again, user: Presentation.objects.filter(
        Q(token=token) | Q(second_token=again), reading_set__assignment__reader=user
    )
    .exclude(reading_set__assignment__study__state__in=[Study.State.DRAFT, Study.State.FROZEN])
    .order_by()
    .values_list(
        *_named_seat.names,
        "reading_set_id", "position", "token", "stimulus__image", "stimulus__sha256", "second__image", "second__sha256",
    ),
    str,
    str,
    int,
)  # fmt: skip


class Named(NamedTuple):
    """A stimulus that a reader's token names, wherever it stands in their schedule; it holds image and hash alone."""

    assignment: Assignment
    reading_set: int
    position: int
    stimulus: Stimulus | None

    def servable(self) -> bool:
        """Whether it lies in the reader's window."""
        if not may_sit(self.assignment.reader, self.assignment.study):
            return False
        place = place_of(self.assignment, ahead=0)
        here = place.reading_set is not None and place.reading_set.pk == self.reading_set
        return self.stimulus is not None and here and place.reaches(self.position)


def stimulus_named(user: int, token: str) -> Named | None:
    """What an image token names to the user of this primary key; None for a guess or another reader's token."""
    for row in _named(token, token, user):
        assignment, (reading_set, position, first_token, *images) = _named_seat(row)
        image, sha256 = images[:2] if token == first_token else images[2:]
        return Named(assignment, reading_set, position, Stimulus(image=image, sha256=sha256) if image else None)
    return None


def image_size(image: FieldFile) -> tuple[int, int] | None:
    """Width and height in pixels, from the first bytes of a PNG; None where there are none."""
    try:
        with image.open("rb") as file:
            head = file.read(24)
    except (OSError, ValueError):
        return None
    return struct.unpack(">II", head[16:24]) if len(head) == 24 else None


def size_of(presentation: Presentation) -> tuple[int, int] | None:
    """The size of what a presentation shows, so that a page can keep its place free."""
    stimulus = Stimulus.objects.filter(pk=presentation.stimulus_id).only("image").first()
    return image_size(stimulus.image) if stimulus else None


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
    for row in _sets(assignment, _sets_with_counts(assignment.pk, _EVERY)):
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
