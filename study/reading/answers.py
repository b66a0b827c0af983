"""What a reader does: consent, the viewing check, practice, answers, the end of a set, the questionnaire.

Every write is one transaction. An answer is appended, never changed: the client names each answer by a key of its own
(a repeated request finds its answer already there) and says which revision it saw last (a second window that has
fallen behind is told so, and nothing is overwritten).
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from core.errors import InvalidInput
from core.version import code_version
from study.models import Assignment, Presentation, ReadingSession, ReadingSet, Response, Study
from study.protocol import audit_log
from study.reading.prepared import Columns, Insert, Prepared
from study.reading.progress import Place, Stage, answered_in, place_of

ANSWERS = {
    Study.Task.LABELLING: (Response.Answer.TUMOUR, Response.Answer.NO_TUMOUR),
    Study.Task.PAIR: (Response.Answer.FIRST, Response.Answer.SECOND),
}
VIEWING_FIELDS = (
    "inner_width", "inner_height", "screen_width", "screen_height", "device_pixel_ratio", "colour_depth", "zoom",
    "scale", "scale_wanted", "javascript", "magnifier_steps", "magnifier_max", "alternations", "touch",
)  # fmt: skip
MAX_NOTE = 2000
MAX_CELLS = 10_000
LONGEST_MS = 86_400_000.0
LOOKS = 3


class NotServed(LookupError):
    """A token that does not exist for this reader at this moment."""


class Conflict(RuntimeError):
    """The presentation has been answered elsewhere since this page saw it, or its set is no longer open."""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer as the browser gives it. Times in ms and as client-clock instants; None where not measured."""

    answer: str
    confidence: int | None = None
    tumour_cell_count: int | None = None
    perturbed_response: bool | None = None
    note: str = ""
    rt_ms: float | None = None
    focus_lost_ms: float | None = None
    shown_at: datetime | None = None
    answered_at: datetime | None = None
    viewing: dict[str, Any] = field(default_factory=dict)


def clean_viewing(viewing: dict[str, Any]) -> dict[str, float | bool]:
    """The known fields that hold a finite number or a truth value; all else is dropped."""
    kept: dict[str, float | bool] = {}
    for name in VIEWING_FIELDS:
        value = viewing.get(name)
        if isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e6):
            kept[name] = value
    return kept


def _require(value: Any, name: str, message: str) -> None:
    if value is None:
        raise InvalidInput(f"{message}", field=name)


def _check(study: Study, given: Given) -> None:
    """The answer fits the study's task and its questions.

    Raises:
        InvalidInput: naming the field.
    """
    allowed = ANSWERS[study.task]
    if given.answer not in allowed:
        raise InvalidInput(f"'{given.answer}' is none of {', '.join(allowed)}.", field="answer")
    asked = set(study.questions)
    for name in ("confidence", "tumour_cell_count", "perturbed_response"):
        if name not in asked and getattr(given, name) is not None:
            raise InvalidInput("this study does not ask for it.", field=name)
    if "confidence" in asked:
        _require(given.confidence, "confidence", "choose a value from 1 to 5.")
    if given.confidence is not None and not 1 <= given.confidence <= 5:
        raise InvalidInput("choose a value from 1 to 5.", field="confidence")
    if given.tumour_cell_count is not None and not 0 <= given.tumour_cell_count <= MAX_CELLS:
        raise InvalidInput(f"a whole number from 0 to {MAX_CELLS}.", field="tumour_cell_count")
    if "perturbed_response" in asked:
        _require(given.perturbed_response, "perturbed_response", "answer yes or no.")
    if given.note and "note" not in asked:
        raise InvalidInput("this study does not ask for it.", field="note")
    if len(given.note) > MAX_NOTE:
        raise InvalidInput(f"at most {MAX_NOTE} characters.", field="note")
    for name in ("rt_ms", "focus_lost_ms"):
        value = getattr(given, name)
        if value is not None and not 0 <= value <= LONGEST_MS:
            raise InvalidInput(f"a time from 0 to {LONGEST_MS:.0f} ms.", field=name)


@transaction.atomic
def consent(*, assignment: Assignment) -> None:
    """The reader ticked the consent text. A second time changes nothing."""
    row = Assignment.objects.select_for_update(of=("self",)).select_related("study").get(pk=assignment.pk)
    if row.consented_at is None:
        row.consented_at = timezone.now()
        row.save(update_fields=["consented_at"])
        audit_log.record(study=row.study, actor=row.code, action="consented")


@transaction.atomic
def start_session(*, assignment: Assignment, viewing: dict[str, Any], user_agent: str = "") -> ReadingSession:
    """One sitting at one screen, with the result of its viewing check."""
    return ReadingSession.objects.create(
        assignment=assignment, viewing=clean_viewing(viewing), user_agent=user_agent[:300]
    )


@transaction.atomic
def finish_practice(*, assignment: Assignment) -> None:
    Assignment.objects.filter(pk=assignment.pk, practised_at=None).update(practised_at=timezone.now())


class Saved(NamedTuple):
    """An answer as it is stored, and where the reader stands after it."""

    response: Response
    place: Place


_PRESENTATION = Columns(Presentation)
_by_token = Prepared(
    lambda token, assignment: Presentation.objects.filter(
        token=token, reading_set__assignment=assignment
    ).values_list(*_PRESENTATION),
    str,
    int,
)  # fmt: skip
_revisions = Prepared(
    lambda presentation: (
        Response.objects.filter(presentation=presentation).order_by("-revision").values_list("revision", "key")
    ),
    int,
)
_append = Insert(
    Response,
    only_while=Prepared(
        lambda reading_set: (
            ReadingSet.objects.filter(
                pk=reading_set,
                completed_at=None,
                assignment__withdrawn_at=None,
                assignment__study__state=Study.State.OPEN,
            )
            .order_by()
            .values_list("pk")
        ),
        int,
    ),
)
_answers_at = Prepared(
    lambda reading_set, position: Response.objects.filter(
        presentation__reading_set=reading_set, presentation__position=position
    ).values_list("pk"),
    int,
    int,
)


def _presentation(place: Place, token: str) -> Presentation:
    """The reader's presentation of this name.

    Raises:
        NotServed: there is none.
    """
    for presentation in place.window.values():
        if presentation.token == token:
            return presentation
    for row in _by_token(token, place.assignment.pk):
        return _PRESENTATION(row)
    raise NotServed(token)


def _demand_turn(place: Place, presentation: Presentation, seen: int, replaces: int) -> None:
    """The presentation is the current one and unanswered, or the last one and as the page saw it.

    Raises:
        NotServed, Conflict: see ``record_answer``.
    """
    if place.stage in (Stage.WITHDRAWN, Stage.NOT_OPEN, Stage.CLOSED):
        raise Conflict("This study takes no answers at present.")
    here = place.reading_set is not None and place.reading_set.pk == presentation.reading_set_id and place.window
    if not here:
        if not seen:
            raise NotServed(presentation.token)
        raise Conflict("This set is no longer open.")
    if presentation.position > place.answered + 1:
        raise NotServed(presentation.token)
    if seen != replaces or presentation.position < place.answered:
        raise Conflict("This image has been answered in another window.")


def record_answer(
    *, assignment: Assignment, token: str, key: str, given: Given, replaces: int = 0, sitting: int | None = None
) -> Saved:
    """Append an answer; the same ``key`` again returns the answer that is there.

    All is read and checked first; under the lock it is only made sure that nothing has changed since. Who comes second
    (the database keeps a presentation's keys and revisions apart) looks again, and finds what the first one left.

    Args:
        replaces: the revision that the page saw: 0 for a first answer, else the one to be changed.
        sitting: primary key of the reader's session at the screen.

    Raises:
        NotServed: the token is not this reader's, or its turn has not come.
        Conflict: answered elsewhere meanwhile, or the set is finished, or the study is not open.
        InvalidInput: a field that does not fit the study's questions.
    """
    if not 8 <= len(key) <= 64:
        raise InvalidInput("8 to 64 characters, made by the page for this answer.", field="key")
    failed: IntegrityError | None = None
    for _ in range(LOOKS):
        place = place_of(assignment, ahead=3)
        presentation = _presentation(place, token)
        revisions = [] if presentation is place.current else _revisions(presentation.pk)
        if key in [stored for _, stored in revisions]:
            return Saved(presentation.responses.get(key=key), place)
        seen = revisions[0][0] if revisions else 0
        _demand_turn(place, presentation, seen, replaces)
        _check(assignment.study, given)
        response = _response(presentation, given, revision=seen + 1, key=key, session_id=sitting)
        try:
            if _appended(presentation, response):
                return Saved(response, place if seen else place.after_answer())
        except IntegrityError as error:
            failed = error
        assignment.study.refresh_from_db(fields=["state"])
        assignment.refresh_from_db(fields=["withdrawn_at"])
    raise failed or Conflict("This image has been answered in another window.")


def _response(presentation: Presentation, given: Given, **fields: Any) -> Response:
    return Response(
        presentation=presentation,
        answer=given.answer,
        confidence=given.confidence,
        tumour_cell_count=given.tumour_cell_count,
        perturbed_response=given.perturbed_response,
        note=given.note,
        rt_ms=given.rt_ms,
        focus_lost_ms=given.focus_lost_ms,
        shown_at=given.shown_at,
        answered_at=given.answered_at,
        viewing=clean_viewing(given.viewing),
        code_version=code_version(),
        **fields,
    )


def _appended(presentation: Presentation, response: Response) -> bool:
    """Append, unless the set was finished, the study closed or the next presentation answered since we looked."""
    reading_set, first = presentation.reading_set_id, response.revision == 1
    if first and not connection.in_atomic_block:
        return _append(response, reading_set)  # one statement: a transaction of its own
    with transaction.atomic():
        if not first:
            # Whether the next one was answered is asked under the set's lock, which those who append share.
            ReadingSet.objects.select_for_update().order_by().get(pk=reading_set)
            if _answers_at(reading_set, presentation.position + 1):
                return False
        return _append(response, reading_set)


@transaction.atomic
def finish_set(*, assignment: Assignment, number: int) -> None:
    """The reader declares set ``number`` finished: its answers are fixed and the wash-out begins.

    A second time changes nothing.

    Raises:
        NotServed: the reader has no such set.
        Conflict: presentations of the set are not answered yet, or the study is not open.
    """
    # Ordered by themselves: the sets' usual order joins the study, which would be locked for all of its readers.
    row = ReadingSet.objects.select_for_update().filter(assignment=assignment, number=number).order_by("pk").first()
    if row is None:
        raise NotServed(f"set {number}")
    if row.completed_at is not None:
        return
    place = place_of(assignment)
    if place.stage is not Stage.SET_DONE or place.reading_set is None or place.reading_set.pk != row.pk:
        raise Conflict(f"Set {number} cannot be finished yet: some images have no answer.")
    row.completed_at = timezone.now()
    row.save(update_fields=["completed_at"])
    audit_log.record(study=assignment.study, actor=assignment.code, action="set_finished", set=number)


@transaction.atomic
def reopen_set(*, reading_set: ReadingSet, actor: str) -> None:
    """Let the reader change the last answer of a finished set, before the next one has begun. Logged.

    Raises:
        InvalidInput: the study is not open, the set is not finished, or a later set has answers.
    """
    row = ReadingSet.objects.select_for_update().get(pk=reading_set.pk)
    assignment = row.assignment
    if assignment.study.state != Study.State.OPEN:
        raise InvalidInput(
            f"'{assignment.study.slug}' is {assignment.study.state}; only an open study's set reopens.",
            field="study",
        )
    if row.completed_at is None:
        raise InvalidInput(f"set {row.number}: it is not finished, so there is nothing to reopen.")
    later = ReadingSet.objects.filter(assignment=assignment, number__gt=row.number)
    if any(answered_in(one) for one in later):
        raise InvalidInput(f"set {row.number}: a later set has answers; reopening would break the wash-out.")
    was = row.completed_at
    row.completed_at, row.reopened_at = None, timezone.now()
    row.save(update_fields=["completed_at", "reopened_at"])
    audit_log.record(
        study=assignment.study, actor=actor, action="set_reopened", reader=assignment.code, set=row.number,
        was_completed_at=was,
    )  # fmt: skip


NOTICED = ("yes", "no", "unsure")


@transaction.atomic
def save_questionnaire(*, assignment: Assignment, noticed: str, share: int | None, difference: str, repeats: str,
                       comment: str) -> None:  # fmt: skip
    """The blinding questionnaire, once, after the last set.

    Raises:
        Conflict: a set is not finished yet, or the questionnaire is there already.
        InvalidInput: naming the field.
    """
    row = Assignment.objects.select_for_update(of=("self",)).select_related("study").get(pk=assignment.pk)
    if place_of(row).stage is not Stage.QUESTIONNAIRE:
        raise Conflict("The questionnaire comes once, after the last set.")
    for name, value in (("noticed", noticed), ("repeats", repeats)):
        if value not in NOTICED:
            raise InvalidInput("choose one of the answers.", field=name)
    if share is not None and not 0 <= share <= 100:
        raise InvalidInput("a percentage from 0 to 100.", field="share")
    for name, value in (("difference", difference), ("comment", comment)):
        if len(value) > MAX_NOTE:
            raise InvalidInput(f"at most {MAX_NOTE} characters.", field=name)
    row.questionnaire = {
        "noticed": noticed, "share": share, "difference": difference, "repeats": repeats, "comment": comment,
    }  # fmt: skip
    row.questionnaire_at = timezone.now()
    row.save(update_fields=["questionnaire", "questionnaire_at"])
    audit_log.record(study=row.study, actor=row.code, action="questionnaire_answered")
