"""What a reader may see: the reading pages' reads. Nothing here touches an arm, a truth or a patch's name.

The *window* is all that a reader can name: the presentation just answered (its answer may be changed), the one whose
turn it is, and the one directly after it (so that its bytes can be fetched ahead). Everything else does not exist for
a browser. In an adaptive set nothing follows the one whose turn it is: it is chosen after the answer. An older
presentation stays shut so that two twins can never be laid side by side.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.files import FieldFile
from django.utils import timezone

from core.access import is_reader
from study.blinds import has_seen_arms
from study.models import (
    Assignment,
    AuditEvent,
    GuideImage,
    Presentation,
    ReadingSession,
    ReadingSet,
    Response,
    Stimulus,
    Study,
)
from study.protocol import duration


class Stage(StrEnum):
    """Where a reader stands in a study; the viewing check comes with every session and is no stage."""

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
class Progress:
    """How far a reader is. ``reading_set`` is the first set that is not finished, None after the last; ``count`` and
    ``answered`` are presentations of that set; ``window`` holds presentations by position."""

    stage: Stage
    assignment: Assignment
    sets: int
    reading_set: ReadingSet | None = None
    count: int = 0
    answered: int = 0
    opens_at: datetime | None = None
    window: dict[int, Presentation] = field(default_factory=dict)

    @property
    def minutes(self) -> str:
        """About how long the set takes."""
        return duration.minutes(self.assignment.study.task, self.count)

    @property
    def in_set(self) -> bool:
        """Whether the reader is in the middle of a set, or at its end."""
        return self.stage in (Stage.READING, Stage.SET_DONE)

    def reaches(self, position: int) -> bool:
        """Whether a presentation of the present set may be named."""
        return self.in_set and 0 <= position - self.answered <= 2

    def after_answer(self, made: Presentation | None = None) -> "Progress":
        """The progress when the current presentation has got its answer; ``made``: what was chosen to follow it."""
        answered = self.answered + 1
        window = self.window | ({made.position: made} if made else {})
        stage = Stage.READING if answered < self.count else Stage.SET_DONE
        return replace(self, answered=answered, stage=stage, window=window)

    @property
    def previous(self) -> Presentation | None:
        return self.window.get(self.answered)

    @property
    def current(self) -> Presentation | None:
        return self.window.get(self.answered + 1)

    @property
    def next(self) -> Presentation | None:
        return self.window.get(self.answered + 2)


# --- Whose study it is ------------------------------------------------------------------------------------------------


def assignments_of(user: Any) -> QuerySet[Assignment]:
    """The reader's studies, without those whose arms they may have seen since they were assigned.

    The protocol and the source name arms and can be large: they are never loaded here.
    """
    assignments = (
        Assignment.objects.filter(reader=user)
        .exclude(study__state__in=[Study.State.DRAFT, Study.State.FROZEN])
        .select_related("study")
        .defer("study__protocol", "study__source", "questionnaire")
        .order_by("-invited_at")
    )
    if is_reader(user) and user.arms_seen_until is None:
        return assignments
    return assignments.exclude(study__in=[row.study_id for row in assignments if has_seen_arms(user, row.study)])


def assignment_of(user: Any, slug: str) -> Assignment | None:
    """The reader's assignment in a study, with the study; None where they have none."""
    return assignments_of(user).filter(study__slug=slug).first()


# --- How far the reader is --------------------------------------------------------------------------------------------


def opening_time(reading_set: ReadingSet, before: ReadingSet | None) -> datetime | None:
    """When a set opens: the first at once (None), each later one its wash-out after the end of the one before it.

    Without a wash-out that is at once, too, whatever the server's clock has done since.
    """
    hours = reading_set.assignment.study.washout_hours
    if before is None or before.completed_at is None or not hours:
        return None
    return before.completed_at + timedelta(hours=hours)


def _shut(assignment: Assignment) -> Stage | None:
    if assignment.withdrawn_at:
        return Stage.WITHDRAWN
    state = assignment.study.state
    if state in (Study.State.DRAFT, Study.State.FROZEN):
        return Stage.NOT_OPEN
    return None if state == Study.State.OPEN else Stage.CLOSED


def _practice_due(assignment: Assignment) -> bool:
    """A pair comparison practises with pairs, which older studies do not have."""
    study = assignment.study
    if assignment.practised_at is not None or not study.practice_count:
        return False
    return study.task == Study.Task.LABELLING or study.guide_images.filter(kind=GuideImage.Kind.ALTERED).exists()


@dataclass(frozen=True, slots=True)
class CountedSet:
    """A set with its presentations, and those with an answer: as they come in order, the last answered position."""

    reading_set: ReadingSet
    count: int
    answered: int


def sets_of(assignment: Assignment) -> list[CountedSet]:
    """The sets in order.

    Answers are looked up one by one, at the index of their presentation: a join would read all answers of all studies
    while that looks cheap.
    """
    answer = Response.objects.filter(presentation=OuterRef("presentations"), revision=1).order_by()
    counted = assignment.sets.annotate(
        count=Count("presentations"), answered=Count(Subquery(answer.values("revision")[:1]))
    )
    places: dict[int, int] = {}
    if assignment.study.adaptive:  # its presentations are made one by one
        slots = assignment.sets.annotate(places=Count("slots")).values_list("pk", "places")
        places = dict(slots)
    return [CountedSet(row, places.get(row.pk, row.count), row.answered) for row in counted.order_by("number")]


def progress_in(assignment: Assignment, sets: Sequence[CountedSet]) -> Progress:
    """The progress in an open study, without a window."""
    index = next((index for index, counted in enumerate(sets) if counted.reading_set.completed_at is None), None)
    if index is None:
        stage = Stage.QUESTIONNAIRE if assignment.questionnaire_at is None else Stage.FINISHED
        return Progress(stage, assignment, len(sets))
    current, count, answered = sets[index].reading_set, sets[index].count, sets[index].answered
    progress = Progress(Stage.CONSENT, assignment, len(sets), current, count)
    if assignment.consented_at is None:
        return progress
    if _practice_due(assignment):
        return replace(progress, stage=Stage.PRACTICE)
    opens_at = opening_time(current, sets[index - 1].reading_set if index else None)
    if opens_at and not answered and opens_at > timezone.now():  # a clock that steps back shuts no set that was begun
        return replace(progress, stage=Stage.WASHOUT, opens_at=opens_at)
    stage = Stage.READING if answered < count else Stage.SET_DONE
    return replace(progress, stage=stage, answered=answered, opens_at=opens_at)


def progress_of(assignment: Assignment, *, ahead: int = 2) -> Progress:
    """How far the reader is now, with the window that they may name.

    Args:
        ahead: how many presentations after the last answered one are loaded; 0 for none, where only numbers matter.
    """
    sets = sets_of(assignment)
    if shut := _shut(assignment):
        return Progress(shut, assignment, len(sets))
    progress = progress_in(assignment, sets)
    if not ahead or not progress.in_set:
        return progress
    reach = (progress.answered, progress.answered + ahead)
    near = Presentation.objects.filter(reading_set=progress.reading_set, position__range=reach).order_by()
    return replace(progress, window={presentation.position: presentation for presentation in near})


def marks_of(assignment: Assignment) -> dict[int, str]:
    """Where the log stood when the reader finished a set, by the set's number: a hash that says nothing of arms.

    Readers see it and may keep it. One who rewrites the log later cannot rewrite what they noted.
    """
    events = AuditEvent.objects.filter(study=assignment.study_id, actor=assignment.code, action="set_finished")
    return {event.detail["set"]: event.hash for event in events.only("detail", "hash").order_by("pk")}


def describe_sets(sets: Sequence[CountedSet], marks: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    """Every set with its counts and times, for the study's own page; a finished one with its mark."""
    described: list[dict[str, Any]] = []
    before: ReadingSet | None = None
    for counted in sets:
        row = counted.reading_set
        opens_at = opening_time(row, before)
        reached = row.completed_at is None and (before is None or before.completed_at is not None)
        described.append(
            {
                "number": row.number,
                "count": counted.count,
                "answered": counted.answered,
                "completed_at": row.completed_at,
                "mark": (marks or {}).get(row.number, "") if row.completed_at else "",
                "opens_at": opens_at,
                "open": reached and (opens_at is None or counted.answered > 0 or opens_at <= timezone.now()),
            }
        )
        before = row
    return described


def current_response(presentation: Presentation) -> Response | None:
    """The latest revision of a presentation's answer."""
    return presentation.responses.order_by("-revision").first()


def latest_session(assignment: Assignment) -> int | None:
    """The reader's newest session, for answers that come after signing in again."""
    sessions = ReadingSession.objects.filter(assignment=assignment).order_by("-started_at")
    return sessions.values_list("pk", flat=True).first()


# --- Pictures ---------------------------------------------------------------------------------------------------------


def servable_stimulus(user: Any, token: str) -> Stimulus | None:
    """The stimulus that a token names, while it lies in this reader's window; it holds image and hash alone.

    None for a guess, another reader's token, and one that is over or still to come.
    """
    presentation = (
        Presentation.objects.filter(Q(token=token) | Q(second_token=token), reading_set__assignment__reader=user)
        .select_related("stimulus", "second", "reading_set__assignment__study")
        .only(
            "position", "token", "reading_set__assignment__consented_at", "reading_set__assignment__practised_at",
            "reading_set__assignment__withdrawn_at", "reading_set__assignment__questionnaire_at",
            "reading_set__assignment__study__state", "reading_set__assignment__study__task",
            "reading_set__assignment__study__practice_count", "reading_set__assignment__study__washout_hours",
            "stimulus__image", "stimulus__sha256", "second__image", "second__sha256",
        )
        .order_by("pk")
        .first()
    )  # fmt: skip
    if presentation is None or has_seen_arms(user, presentation.reading_set.assignment.study):
        return None
    progress = progress_of(presentation.reading_set.assignment, ahead=0)
    if progress.reading_set != presentation.reading_set or not progress.reaches(presentation.position):
        return None
    return presentation.stimulus if token == presentation.token else presentation.second


def servable_guide(user: Any, token: str) -> GuideImage | None:
    """An example or practice patch of a study that this reader takes part in."""
    own = GuideImage.objects.filter(token=token, study__assignments__reader=user)
    return own.only("image", "sha256").first()


def guides(study: Study, kind: str) -> list[GuideImage]:
    return list(study.guide_images.filter(kind=kind).order_by("number"))


def image_size(image: FieldFile) -> tuple[int, int] | None:
    """Width and height in pixels, from the first bytes of a PNG; None where there are none."""
    try:
        with image.open("rb") as file:
            head = file.read(24)
    except (OSError, ValueError):
        return None
    return struct.unpack(">II", head[16:24]) if len(head) == 24 else None


USUAL_WIDTH = 224


def width_of(study: Study) -> int:
    """Pixels that an image of the study is wide; the usual ones where there is none yet."""
    stimulus = Stimulus.objects.filter(case__study=study).only("image").order_by("pk").first()
    size = image_size(stimulus.image) if stimulus else None
    return size[0] if size else USUAL_WIDTH


def size_of(presentation: Presentation) -> tuple[int, int] | None:
    """The size of what a presentation shows, so that a page can keep its space free."""
    stimulus = Stimulus.objects.filter(pk=presentation.stimulus_id).only("image").first()
    return image_size(stimulus.image) if stimulus else None
