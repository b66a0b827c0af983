"""The audit log: what was done and by whom, each event with the hash of the one before it.

There is one chain over all studies. An event also names the study's own event before it, so that a study's part can be
exported and checked by itself. An event's hash is the SHA-256 of ``hashed_text``; ``docs/verifying.md`` has a script.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from study.models import AuditEvent, Study
from study.protocol import clock

GENESIS = "0" * 64
LOCK = 0x626C696E64  # the key of the log's advisory lock in PostgreSQL
_EXACT = 2.0**53


def canonical_json(value: Any) -> str:
    """Equal values give equal text: sorted keys, no spaces. Every hash of a document is taken over it.

    Equal also before and after they were stored: PostgreSQL gives 1e+22 back as a whole number, and -0.0 as 0.0.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return int(value) if abs(value) >= _EXACT and value.is_integer() else value + 0.0
    return value


def sha256_of(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hashed_text(event: AuditEvent) -> str:
    """The text whose SHA-256 is the event's hash; exactly this is exported."""
    hashed = {
        "study": event.study_id,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "action": event.action,
        "detail": event.detail,
        "previous": event.previous_hash,
    }
    if event.study_previous:  # events of before there was such a column have none
        hashed["study_previous"] = event.study_previous
    return canonical_json(hashed)


def _event_hash(event: AuditEvent) -> str:
    return hashlib.sha256(hashed_text(event).encode()).hexdigest()


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
    """Append an event. Where its time cannot be believed, its detail says so under ``clock``."""
    hold()
    last = AuditEvent.objects.order_by("-pk").first()
    now = timezone.now()
    if doubts := clock.WATCH.doubts(now, last.at if last else None):
        detail[clock.KEY] = doubts
    event = AuditEvent(
        study=study,
        at=now,
        actor=actor,
        action=action,
        detail=json.loads(canonical_json(detail)),
        previous_hash=last.hash if last else GENESIS,
        study_previous=head(study) or GENESIS if study else "",
    )
    event.hash = _event_hash(event)
    event.save()
    return event


def head(study: Study) -> str:
    """The hash of the study's last event, from which all before it follow; ``""`` where there is none."""
    return study.events.order_by("-pk").values_list("hash", flat=True).first() or ""


SHORT = 20


def short(full_hash: str) -> str:
    """The first 80 bits of a hash in groups of five, to be read, written down and compared."""
    return " ".join(full_hash[at : at + 5] for at in range(0, SHORT, 5))


def find(study: Study, anchor: str) -> AuditEvent | None:
    """The study's event whose hash begins so; spaces and capitals do not count. None for fewer than 16 digits."""
    wanted = "".join(anchor.split()).lower()
    if len(wanted) < 16:
        return None
    return study.events.filter(hash__startswith=wanted).order_by("pk").first()


def first_broken(events: Iterable[AuditEvent]) -> AuditEvent | None:
    """The first of all events whose hash does not follow from its content and its predecessor; None when all hold."""
    previous = GENESIS
    by_study: dict[int | None, str] = {}
    for event in events:
        wanted = by_study.get(event.study_id, GENESIS)
        if event.previous_hash != previous or event.hash != _event_hash(event):
            return event
        if event.study_previous and event.study_previous != wanted:
            return event
        previous = by_study[event.study_id] = event.hash
    return None


def first_broken_event() -> AuditEvent | None:
    """As ``first_broken``, of the stored log."""
    return first_broken(AuditEvent.objects.order_by("pk").iterator())
