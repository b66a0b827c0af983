"""A copy of a study in a database and on a server of its own: the audit reads it, the study itself is not touched.

The copy holds the readers' real schedules and tokens, no seed, no secret, no answers, and no wash-out. The files are
read where they are.
The server is gunicorn with ``deploy/gunicorn.py``, as in production, so that its headers are the real ones.
"""

import os
import random
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core import serializers
from django.utils import timezone

from core.errors import InvalidInput
from core.models import User
from study.blinding.plants import IN_THE_ROWS, plant_rows
from study.blinding.servers import gunicorn
from study.models import Assignment, Case, GuideImage, Presentation, ReadingSet, Slot, Stimulus, Study


@dataclass(frozen=True, slots=True)
class Copy:
    """Where the copy is served, the readers' common password there, and the copied rows in order.

    Of an adaptive study the slots, and the presentations with which its readers begin: the copy makes the rest.
    """

    address: str
    password: str
    presentations: list[Presentation]
    slots: list[Slot] = field(default_factory=list)

    @property
    def places(self) -> list[Presentation] | list[Slot]:
        """What is there to be read, in order of reader, set and position."""
        return self.slots or self.presentations


def copied_presentations(study: Study, assignments: list[Assignment]) -> list[Presentation]:
    rows = (
        Presentation.objects.filter(reading_set__assignment__in=assignments)
        .select_related("reading_set__assignment__reader", "stimulus__case", "second__case")
        .order_by("reading_set__assignment__code", "reading_set__number", "position")
    )
    return list(rows.filter(reading_set__number=1, position=1) if study.adaptive else rows)


def copied_slots(assignments: list[Assignment]) -> list[Slot]:
    return list(
        Slot.objects.filter(reading_set__assignment__in=assignments)
        .select_related("reading_set__assignment__reader", "case")
        .order_by("reading_set__assignment__code", "reading_set__number", "position")
    )


def _copy(
    study: Study, assignments: list[Assignment], plant: str, password: str, seed: int
) -> tuple[list[Presentation], list[Slot], list[Any]]:
    """The copy's presentations and slots, and all of its rows in the order in which they refer to each other."""
    presentations, slots = copied_presentations(study, assignments), copied_slots(assignments)
    if plant in IN_THE_ROWS:
        plant_rows(plant, presentations, random.Random(seed), slots)
    now, hashed = timezone.now(), PBKDF2PasswordHasher().encode(password, secrets.token_hex(8), iterations=1000)
    readers = list(User.objects.filter(pk__in=[assignment.reader_id for assignment in assignments]))
    for reader in readers:
        reader.password, reader.is_active = hashed, True
    for assignment in assignments:
        assignment.consented_at = assignment.practised_at = now
        assignment.seed = 0
        assignment.questionnaire = assignment.questionnaire_at = assignment.withdrawn_at = None
    sets = list(ReadingSet.objects.filter(assignment__in=assignments))
    for reading_set in sets:
        reading_set.completed_at = reading_set.reopened_at = None
    study.state, study.washout_hours, study.created_by, study.team = Study.State.OPEN, 0.0, None, None
    # Nothing of which an order could be drawn is copied; the secret lies in a table that is not copied at all.
    study.protocol, study.source, study.seed = None, {}, 0
    rows = [
        *readers,
        study,
        *Case.objects.filter(study=study),
        *Stimulus.objects.filter(case__study=study),
        *GuideImage.objects.filter(study=study),
        *assignments,
        *sets,
        *slots,
        *presentations,
    ]
    return presentations, slots, rows


@contextmanager
def _server(file: Path, folder: Path, plant: str) -> Iterator[str]:
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{file}",
        "BLINDSPOT_HOME": str(settings.HOME),
        "BLINDSPOT_AUDIT_ROWS": str(folder / "rows.json"),
        "BLINDSPOT_AUDIT_PLANT": plant,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "0",
        "DEBUG": "0",
    }
    # One reader at a time reads, so that one process is enough.
    options = ("--workers", "1", "study.blinding.served:application")
    with gunicorn(folder / "server.log", *options, environment=environment) as (address, _):
        yield address


@contextmanager
def scratch(study: Study, assignments: list[Assignment], *, plant: str = "", seed: int = 0) -> Iterator[Copy]:
    """The copy, served while the block runs, with one leak planted where ``plant`` names it.

    Raises:
        InvalidInput: nobody has a schedule yet.
    """
    if not Presentation.objects.filter(reading_set__assignment__in=assignments).exists():
        raise InvalidInput(f"Study '{study.slug}' has no schedules yet: assign a reader and freeze it first.")
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="blindspot-audit-") as name:
        folder = Path(name)
        file = folder / "audit.sqlite3"
        presentations, slots, rows = _copy(study, assignments, plant, password, seed)
        (folder / "rows.json").write_text(serializers.serialize("json", rows), encoding="utf-8")
        with _server(file, folder, plant) as address:
            yield Copy(address, password, presentations, slots)
