"""What is stored about each reader; and taking their names away after a study's end, while their answers stay.

What stays is pseudonymous: codes, answers and times, what the reader wrote in a note or at the end, and the log, which
has codes only.
"""

from typing import Any

from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from core.models import User
from jobs.models import Job
from study.models import Assignment, Response, Study
from study.protocol import audit_log
from study.protocol.life import demand_state

ENDED = (Study.State.CLOSED, Study.State.UNBLINDED)
GONE = "erased"


def stored_about(assignment: Assignment) -> dict[str, Any]:
    """What the database holds about a reader in one study, as numbers and times; nothing of any image."""
    sessions = list(assignment.sessions.order_by("started_at"))
    responses = Response.objects.filter(presentation__reading_set__assignment=assignment)
    return {
        "study": assignment.study.slug,
        "code": assignment.code,
        "consented_at": assignment.consented_at,
        "withdrawn_at": assignment.withdrawn_at,
        "answers": responses.count(),
        "notes": responses.exclude(note="").count(),
        "sessions": len(sessions),
        "browsers": sorted({session.user_agent for session in sessions if session.user_agent}),
        "last_questions_at": assignment.questionnaire_at,
    }


def person_of(reader: Any) -> dict[str, Any]:
    """What the database holds about a person, whatever they read."""
    return {
        "username": reader.username,
        "name": reader.get_full_name(),
        "email": reader.email,
        "joined_at": reader.date_joined,
        "last_signed_in_at": reader.last_login,
        "failed_sign_ins": AccessAttempt.objects.filter(username=reader.username).count(),
    }


def is_erased(reader: User) -> bool:
    return not reader.is_active and reader.username == f"{GONE}-{reader.pk}"


@transaction.atomic
def erase(*, study: Study, actor: str) -> dict[str, Any]:
    """Take away who the readers of a study were that has ended. It cannot be undone; repeating it changes nothing.

    Browsers' names go at once. A reader's name, address, password and sessions go when all their studies have ended.

    Returns:
        the codes of those whose names are ``erased`` now, and of those ``kept`` because they read elsewhere.

    Raises:
        InvalidInput: the study has not ended.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    demand_state(study, *ENDED)
    told: dict[str, list[str]] = {"erased": [], "kept": []}
    for assignment in study.assignments.select_related("reader").order_by("code"):
        assignment.sessions.update(user_agent="")
        reader = assignment.reader
        if is_erased(reader):
            continue
        reads_on = reader.assignments.exclude(study__state__in=ENDED).filter(withdrawn_at=None).exists()
        told["kept" if reads_on else "erased"].append(assignment.code)
        if not reads_on:
            _erase_person(reader)
    if any(told.values()):
        audit_log.record(study=study, actor=actor, action="names_erased", **told)
    return told


def _erase_person(reader: User) -> None:
    name, reader.username = reader.username, f"{GONE}-{reader.pk}"
    reader.first_name = reader.last_name = reader.email = ""
    reader.is_active, reader.last_login = False, None
    reader.set_unusable_password()
    reader.save()
    reader.groups.clear()
    AuthToken.objects.filter(user=reader).delete()
    AccessAttempt.objects.filter(username=name).delete()
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get("_auth_user_id") == str(reader.pk):
            session.delete()
    Session.objects.filter(expire_date__lte=timezone.now()).delete()
    about = LogEntry.objects.filter(
        content_type__app_label="core", content_type__model="user", object_id=str(reader.pk)
    )
    about.update(object_repr=reader.username, change_message="")
    for job in Job.objects.filter(kind="build_study").only("arguments"):
        if name in (names := job.arguments.get("readers") or []):
            job.arguments["readers"] = [reader.username if one == name else one for one in names]
            job.save(update_fields=["arguments"])
