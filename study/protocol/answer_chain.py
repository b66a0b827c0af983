"""The answers of a set as a chain: each is stored with a hash of itself and of the answer before it.

The set's row holds how many there are and the last hash (``ReadingSet.answers``, ``head``). Both enter the log when the
reader finishes the set, and for all sets when the study closes. A chain per set and reader: nobody waits for another.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from study.models import Presentation, ReadingSet, Response, Study
from study.protocol.audit_log import sha256_of

FIELDS = (
    "revision", "key", "session_id", "answer", "confidence", "tumour_cell_count", "perturbed_response", "note",
    "rt_ms", "focus_lost_ms", "shown_at", "answered_at", "received_at", "viewing", "code_version",
)  # fmt: skip
"""What is hashed of an answer, besides its place and the name under which the browser knew the image."""


def start(*, protocol_sha256: str, reader: str, number: int) -> str:
    """What the first answer of a set takes for the hash before it: it ties the set to protocol, reader and number."""
    return sha256_of({"protocol": protocol_sha256, "reader": reader, "set": number})


def start_of(reading_set: ReadingSet) -> str:
    assignment = reading_set.assignment
    return start(protocol_sha256=assignment.study.protocol_sha256, reader=assignment.code, number=reading_set.number)


def answer_hash(previous: str, *, token: str, position: int, values: Mapping[str, Any]) -> str:
    """The hash of one answer. ``values`` holds at least ``FIELDS``, as they are stored."""
    hashed = {name: _stored(values[name]) for name in FIELDS}
    return sha256_of({"previous": previous, "token": token, "position": position, **hashed})


def _stored(value: Any) -> Any:
    """The form in which every database gives a value back."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def append(reading_set: ReadingSet, presentation: Presentation, response: Response) -> None:
    """Store an answer as the next of its set. The caller holds the reader's assignment."""
    add_link(reading_set, presentation, response)
    response.save()
    reading_set.save(update_fields=["answers", "head"])


def add_link(reading_set: ReadingSet, presentation: Presentation, response: Response) -> None:
    """Give an answer its hash and count it in the set; nothing is saved."""
    for name in ("rt_ms", "focus_lost_ms"):  # whole numbers come back as fractions
        value = getattr(response, name)
        setattr(response, name, None if value is None else float(value))
    previous = reading_set.head or start_of(reading_set)
    values = {name: getattr(response, name) for name in FIELDS}
    response.hash = answer_hash(previous, token=presentation.token, position=presentation.position, values=values)
    reading_set.answers, reading_set.head = reading_set.answers + 1, response.hash


def heads(study: Study) -> list[dict[str, Any]]:
    """Where the chain of every set stands, for the log."""
    sets = ReadingSet.objects.filter(assignment__study=study).order_by("assignment__code", "number")
    return [
        {"reader": reader, "set": number, "answers": answers, "head": head}
        for reader, number, answers, head in sets.values_list("assignment__code", "number", "answers", "head")
    ]
