"""Sets that need an admin: reopening one, and correcting when one ended. Both are deviations, logged with a reason."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.errors import InvalidInput
from core.requests import check
from study.models import ReadingSet, Response, Study
from study.protocol import audit_log
from study.protocol.locks import hold_assignment
from study.protocol.requests import ReopenRequest, WashoutRequest


def _held(reading_set: ReadingSet, doing: str) -> ReadingSet:
    """The set, read again while nobody else writes for its reader; finished, in an open study, with no later answer."""
    assignment = reading_set.assignment
    hold_assignment(assignment)
    row = ReadingSet.objects.get(pk=reading_set.pk)
    row.assignment = assignment
    if assignment.study.state != Study.State.OPEN:
        raise InvalidInput(
            f"'{assignment.study.slug}' is {assignment.study.state}; only an open study's set is {doing}.",
            field="study",
        )
    if row.completed_at is None:
        raise InvalidInput(f"set {row.number}: it is not finished, so there is nothing to be {doing}.")
    later = ReadingSet.objects.filter(assignment=assignment, number__gt=row.number)
    if Response.objects.filter(presentation__reading_set__in=later).exists():
        raise InvalidInput(f"set {row.number}: a later set has answers; its wash-out is over and cannot be changed.")
    return row


@transaction.atomic
def reopen_set(*, reading_set: ReadingSet, actor: str, reason: str) -> None:
    """Let the reader change the last answer of a finished set, before the next one has begun. Logged with the reason.

    Raises:
        InvalidInput: no reason, the study is not open, the set is not finished, or a later set has answers.
    """
    reason = check(ReopenRequest, {"reason": reason})["reason"]
    row = _held(reading_set, "reopened")
    completed_at = row.completed_at
    row.completed_at, row.reopened_at = None, timezone.now()
    row.save(update_fields=["completed_at", "reopened_at"])
    _log(row, actor, "set_reopened", reason=reason, was_completed_at=completed_at)


@transaction.atomic
def correct_washout(*, reading_set: ReadingSet, actor: str, reason: str, finished_at: datetime | str) -> None:
    """Say when a set really ended, where the clock was wrong; the wash-out runs from there. Logged with the reason.

    Raises:
        InvalidInput: no reason, a time before the study was opened or after now, or as ``reopen_set``.
    """
    asked = check(WashoutRequest, {"reason": reason, "finished_at": finished_at})
    row = _held(reading_set, "corrected")
    ended, opened = asked["finished_at"], row.assignment.study.opened_at
    if ended > timezone.now() or (opened and ended < opened):
        raise InvalidInput("a time between the opening of the study and now.", field="finished_at")
    was, row.completed_at = row.completed_at, ended
    row.save(update_fields=["completed_at"])
    detail = {"was_completed_at": was, "completed_at": ended, "answers": row.answers, "head": row.head}
    _log(row, actor, "washout_corrected", reason=asked["reason"], **detail)


def _log(row: ReadingSet, actor: str, action: str, **detail: Any) -> None:
    assignment = row.assignment
    audit_log.record(
        study=assignment.study, actor=actor, action=action, reader=assignment.code, set=row.number, **detail
    )
