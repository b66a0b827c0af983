"""The audit log: what was done and by whom, each event with the hash of the one before it."""

import hashlib
import json
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from study.models import AuditEvent, Study

GENESIS = "0" * 64
LOCK = 0x626C696E64  # the key of the log's advisory lock in PostgreSQL


def canonical_json(value: Any) -> str:
    """Equal values give equal text: sorted keys, no spaces. Every hash of a document is taken over it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def sha256_of(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _event_hash(event: AuditEvent) -> str:
    return sha256_of(
        {
            "study": event.study_id,
            "at": event.at.isoformat(),
            "actor": event.actor,
            "action": event.action,
            "detail": event.detail,
            "previous": event.previous_hash,
        }
    )


def hold() -> None:
    """Lock the log until the transaction ends, so that no two events name the same predecessor.

    A row lock on the last event would not do: a transaction that waited for it would go on with that row although a
    newer event exists, and before the first event there is no row. SQLite has one writer at a time in any case.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


@transaction.atomic
def record(*, study: Study | None, actor: str, action: str, **detail: Any) -> AuditEvent:
    """Append an event."""
    hold()
    last = AuditEvent.objects.order_by("-pk").first()
    event = AuditEvent(
        study=study,
        at=timezone.now(),
        actor=actor,
        action=action,
        detail=json.loads(canonical_json(detail)),
        previous_hash=last.hash if last else GENESIS,
    )
    event.hash = _event_hash(event)
    event.save()
    return event


def first_broken_event() -> AuditEvent | None:
    """The first event whose hash does not follow from its content and its predecessor; None when all hold."""
    previous = GENESIS
    for event in AuditEvent.objects.order_by("pk").iterator():
        if event.previous_hash != previous or event.hash != _event_hash(event):
            return event
        previous = event.hash
    return None
