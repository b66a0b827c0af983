"""What a reader does: consent, the viewing check, practice, answers, the end of a set, the questionnaire.

Every write is one transaction that holds the reader's assignment before it reads anything (see ``protocol.locks``). An
answer is appended, never changed: the client names each answer by a key of its own (a repeated request gets the stored
answer) and says which revision it saw last (a second window that has fallen behind is told so, and nothing is
overwritten).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, cast

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import InvalidInput
from core.version import code_version
from study.models import Assignment, Presentation, ReadingSession, ReadingSet, Response, Study
from study.protocol import answer_chain, audit_log
from study.protocol.adaptive import go_on
from study.protocol.locks import hold_assignment
from study.reading.progress import Progress, Stage, progress_of

ANSWERS: dict[str, tuple[str, str]] = {
    Study.Task.LABELLING: (Response.Answer.TUMOUR, Response.Answer.NO_TUMOUR),
    Study.Task.PAIR: (Response.Answer.FIRST, Response.Answer.SECOND),
    Study.Task.BIAS: (Response.Answer.FIRST, Response.Answer.SECOND),
}
VIEWING_FIELDS = (
    "inner_width", "inner_height", "screen_width", "screen_height", "device_pixel_ratio", "colour_depth", "zoom",
    "scale", "scale_wanted", "javascript", "magnifier_steps", "magnifier_max", "alternations", "touch",
    "pattern_seen", "exposure_frames", "exposure_ms",
    "pixels_per_mm", "size_mm", "distance_cm", "gamut_p3", "gamut_rec2020",
    "high_dynamic_range",
)  # fmt: skip
MAX_NOTE = 2000
MAX_CELLS = 10_000
LONGEST_MS = 86_400_000.0


class NotServed(LookupError):
    """A token that does not exist for this reader at this moment."""


class Conflict(RuntimeError):
    """The presentation has been answered elsewhere since this page saw it, or its set is no longer open."""


@dataclass(frozen=True, slots=True)
class SentAnswer:
    """One answer as the browser sends it. Times in ms and as client-clock instants; None where not measured."""

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
    known: dict[str, float | bool] = {}
    for name in VIEWING_FIELDS:
        value = viewing.get(name)
        if isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < 1e6):
            known[name] = value
    return known


def pixels_per_mm(viewing: dict[str, Any]) -> float | None:
    """Device pixels per millimetre, where a card was held against the screen; what no screen has does not count."""
    value = clean_viewing(viewing).get("pixels_per_mm")
    return None if value is None or isinstance(value, bool) or not 0.5 <= value <= 200 else float(value)


def _require(value: Any, name: str, message: str) -> None:
    if value is None:
        raise InvalidInput(f"{message}", field=name)


def check_answer(study: Study, sent: SentAnswer) -> None:
    """The answer fits the study's task and its questions.

    Raises:
        InvalidInput: naming the field.
    """
    allowed = ANSWERS[study.task]
    if sent.answer not in allowed:
        raise InvalidInput(f"'{sent.answer}' is none of {', '.join(allowed)}.", field="answer")
    asked = set(study.questions)
    for name in ("confidence", "tumour_cell_count", "perturbed_response"):
        if name not in asked and getattr(sent, name) is not None:
            raise InvalidInput("this study does not ask for it.", field=name)
    if "confidence" in asked:
        _require(sent.confidence, "confidence", _("Choose a value from 1 to 5."))
    if sent.confidence is not None and not 1 <= sent.confidence <= 5:
        raise InvalidInput(_("Choose a value from 1 to 5."), field="confidence")
    if sent.tumour_cell_count is not None and not 0 <= sent.tumour_cell_count <= MAX_CELLS:
        raise InvalidInput(
            _("Enter a whole number from 0 to %(most)d.") % {"most": MAX_CELLS}, field="tumour_cell_count"
        )
    if "perturbed_response" in asked:
        _require(sent.perturbed_response, "perturbed_response", _("Answer yes or no."))
    if sent.note and "note" not in asked:
        raise InvalidInput("this study does not ask for it.", field="note")
    if len(sent.note) > MAX_NOTE:
        raise InvalidInput(_("At most %(most)d characters.") % {"most": MAX_NOTE}, field="note")
    for name in ("rt_ms", "focus_lost_ms"):
        value = getattr(sent, name)
        if value is not None and not 0 <= value <= LONGEST_MS:
            raise InvalidInput(f"a time from 0 to {LONGEST_MS:.0f} ms.", field=name)


@transaction.atomic
def consent(*, assignment: Assignment) -> None:
    """The reader ticked the consent text. A second time changes nothing."""
    hold_assignment(assignment)
    if assignment.consented_at is None:
        assignment.consented_at = timezone.now()
        assignment.save(update_fields=["consented_at"])
        audit_log.record(study=assignment.study, actor=assignment.code, action="consented")


@transaction.atomic
def start_session(
    *, assignment: Assignment, viewing: dict[str, Any], user_agent: str = "", language: str = ""
) -> ReadingSession:
    """One session at one screen, with the result of its viewing check."""
    return ReadingSession.objects.create(
        assignment=assignment, viewing=clean_viewing(viewing), user_agent=user_agent[:300], language=language
    )


@transaction.atomic
def finish_practice(*, assignment: Assignment) -> None:
    Assignment.objects.filter(pk=assignment.pk, practised_at=None).update(practised_at=timezone.now())


class Saved(NamedTuple):
    """An answer as it is stored, and the reader's progress after it."""

    response: Response
    progress: Progress


def demand_turn(progress: Progress, presentation: Presentation, revision: int, replaces: int) -> None:
    """The presentation is the current one and unanswered, or the last one and as the page saw it.

    Args:
        revision: the latest one that is stored; 0 for none.
        replaces: the latest one that the page saw.

    Raises:
        NotServed, Conflict: see ``record_answer``.
    """
    if progress.stage in (Stage.WITHDRAWN, Stage.NOT_OPEN, Stage.CLOSED):
        raise Conflict("This study takes no answers at present.")
    reading_set = progress.reading_set
    if reading_set is None or reading_set.pk != presentation.reading_set_id or not progress.in_set:
        if not revision:
            raise NotServed(presentation.token)
        raise Conflict("This set is no longer open.")
    if presentation.position > progress.answered + 1:
        raise NotServed(presentation.token)
    if revision != replaces or presentation.position < progress.answered:
        raise Conflict("This image has been answered in another window.")


def _presentation(progress: Progress, token: str) -> Presentation:
    """The reader's presentation of this name, which mostly lies in the window.

    Raises:
        NotServed: there is none.
    """
    for presentation in progress.window.values():
        if presentation.token == token:
            return presentation
    own = Presentation.objects.filter(reading_set__assignment=progress.assignment)
    elsewhere = own.filter(token=token).order_by("pk").first()
    if elsewhere is None:
        raise NotServed(token)
    return elsewhere


@transaction.atomic
def record_answer(
    *,
    assignment: Assignment,
    token: str,
    key: str,
    sent: SentAnswer,
    replaces: int = 0,
    session: int | None = None,
) -> Saved:
    """Append an answer; the same ``key`` again returns the answer that is there.

    Args:
        replaces: the revision that the page saw: 0 for a first answer, else the one to be changed.
        session: primary key of the reader's session at the screen.

    Raises:
        NotServed: the token is not this reader's, or its turn has not come.
        Conflict: answered elsewhere meanwhile, or the set is finished, or the study is not open.
        InvalidInput: a field that does not fit the study's questions.
    """
    if not 8 <= len(key) <= 64:
        raise InvalidInput("8 to 64 characters, made by the page for this answer.", field="key")
    hold_assignment(assignment)
    progress = progress_of(assignment, ahead=3)
    presentation = _presentation(progress, token)
    responses = [] if presentation is progress.current else list(presentation.responses.order_by("-revision"))
    for response in responses:
        if response.key == key:
            return Saved(response, progress)
    revision = responses[0].revision if responses else 0
    demand_turn(progress, presentation, revision, replaces)
    check_answer(assignment.study, sent)
    response = response_to(presentation, sent, revision=revision + 1, key=key, session_id=session)
    answer_chain.append(cast(ReadingSet, progress.reading_set), presentation, response)
    if revision:
        return Saved(response, progress)
    chosen = go_on(presentation, assignment, sent.answer) if assignment.study.adaptive else None
    return Saved(response, progress.after_answer(chosen))


def response_to(presentation: Presentation, sent: SentAnswer, **fields: Any) -> Response:
    """The answer as a row that is not saved yet."""
    return Response(
        presentation=presentation,
        answer=sent.answer,
        confidence=sent.confidence,
        tumour_cell_count=sent.tumour_cell_count,
        perturbed_response=sent.perturbed_response,
        note=sent.note,
        rt_ms=sent.rt_ms,
        focus_lost_ms=sent.focus_lost_ms,
        shown_at=sent.shown_at,
        answered_at=sent.answered_at,
        viewing=clean_viewing(sent.viewing),
        code_version=code_version(),
        **fields,
    )


@transaction.atomic
def finish_set(*, assignment: Assignment, number: int) -> None:
    """The reader declares set ``number`` finished: its answers are fixed and the wash-out begins.

    A second time changes nothing.

    Raises:
        NotServed: the reader has no such set.
        Conflict: presentations of the set are not answered yet, or the study is not open.
    """
    hold_assignment(assignment)
    row = ReadingSet.objects.filter(assignment=assignment, number=number).first()
    if row is None:
        raise NotServed(f"set {number}")
    if row.completed_at is not None:
        return
    progress = progress_of(assignment, ahead=0)
    if progress.stage is not Stage.SET_DONE or progress.reading_set != row:
        raise Conflict(f"Set {number} cannot be finished yet: some images have no answer.")
    row.completed_at = timezone.now()
    row.save(update_fields=["completed_at"])
    audit_log.record(
        study=assignment.study, actor=assignment.code, action="set_finished", set=number,
        completed_at=row.completed_at, answers=row.answers, head=row.head,
    )  # fmt: skip


NOTICED = ("yes", "no", "unsure")


def check_questionnaire(*, noticed: str, share: int | None, difference: str, repeats: str, comment: str) -> None:
    """Raises InvalidInput, naming the field, where an answer to the closing questions is none."""
    for name, value in (("noticed", noticed), ("repeats", repeats)):
        if value not in NOTICED:
            raise InvalidInput(_("Choose one of the answers."), field=name)
    if share is not None and not 0 <= share <= 100:
        raise InvalidInput(_("Enter a percentage from 0 to 100."), field="share")
    for name, value in (("difference", difference), ("comment", comment)):
        if len(value) > MAX_NOTE:
            raise InvalidInput(_("At most %(most)d characters.") % {"most": MAX_NOTE}, field=name)


@transaction.atomic
def save_questionnaire(*, assignment: Assignment, **answers: Any) -> None:
    """The blinding questionnaire, once, after the last set.

    Args:
        answers: as ``check_questionnaire``.

    Raises:
        Conflict: a set is not finished yet, or the questionnaire is there already.
        InvalidInput: naming the field.
    """
    hold_assignment(assignment)
    if progress_of(assignment, ahead=0).stage is not Stage.QUESTIONNAIRE:
        raise Conflict("The questionnaire comes once, after the last set.")
    check_questionnaire(**answers)
    assignment.questionnaire, assignment.questionnaire_at = answers, timezone.now()
    assignment.save(update_fields=["questionnaire", "questionnaire_at"])
    audit_log.record(
        study=assignment.study,
        actor=assignment.code,
        action="questionnaire_answered",
        sha256=audit_log.sha256_of(answers),
    )
