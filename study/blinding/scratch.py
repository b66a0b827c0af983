"""A copy of a study in a database and on a server of its own: the audit reads it, the study itself is not touched.

The copy holds the readers' real schedules and tokens, no answers, and no wash-out. The files are read where they are.
The server is the one of production (gunicorn), so that its headers are the real ones.
"""

import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core import serializers
from django.utils import timezone

from core.errors import InvalidInput
from core.models import User
from study.blinding.plants import IN_THE_ROWS, plant_rows
from study.models import Assignment, Case, GuideImage, Presentation, ReadingSet, Stimulus, Study


@dataclass(frozen=True, slots=True)
class Copy:
    """Where the copy is served, the readers' common password there, and the copied presentations in order."""

    address: str
    password: str
    presentations: list[Presentation]


def _copied_presentations(seats: list[Assignment]) -> list[Presentation]:
    return list(
        Presentation.objects.filter(reading_set__assignment__in=seats)
        .select_related("reading_set__assignment__reader", "stimulus__case", "second__case")
        .order_by("reading_set__assignment__code", "reading_set__number", "position")
    )


def _copy(
    study: Study, seats: list[Assignment], plant: str, password: str, seed: int
) -> tuple[list[Presentation], list[Any]]:
    """The copy's presentations in order, and all of its rows in the order in which they refer to each other."""
    presentations = _copied_presentations(seats)
    if plant in IN_THE_ROWS:
        plant_rows(plant, presentations, random.Random(seed))
    now, hashed = timezone.now(), PBKDF2PasswordHasher().encode(password, secrets.token_hex(8), iterations=1000)
    readers = list(User.objects.filter(pk__in=[seat.reader_id for seat in seats]))
    for reader in readers:
        reader.password, reader.is_active = hashed, True
    for seat in seats:
        seat.consented_at = seat.practised_at = now
        seat.questionnaire = seat.questionnaire_at = seat.withdrawn_at = None
    sets = list(ReadingSet.objects.filter(assignment__in=seats))
    for one in sets:
        one.completed_at = one.reopened_at = None
    study.state, study.washout_hours, study.created_by = Study.State.OPEN, 0.0, None
    study.protocol, study.source = None, {}
    rows = [
        *readers,
        study,
        *Case.objects.filter(study=study),
        *Stimulus.objects.filter(case__study=study),
        *GuideImage.objects.filter(study=study),
        *seats,
        *sets,
        *presentations,
    ]
    return presentations, rows


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _server(file: Path, folder: Path, plant: str) -> Iterator[str]:
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{file}",
        "BLINDSPOT_HOME": str(settings.HOME),
        "BLINDSPOT_AUDIT_ROWS": str(folder / "rows.json"),
        "BLINDSPOT_AUDIT_PLANT": plant,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "0",
        "DEBUG": "0",
    }
    command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--threads", "2", "--keep-alive", "75"]
    command += ["--bind", f"127.0.0.1:{port}"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "study.blinding.served:application"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(address, process, folder / "server.log")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)  # gunicorn itself gives its workers 30 s
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(address: str, process: subprocess.Popen, log: Path, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address + "/healthz", timeout=5):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"the audit's server did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def scratch(study: Study, seats: list[Assignment], *, plant: str = "", seed: int = 0) -> Iterator[Copy]:
    """The copy, served while the block runs, with one leak planted where ``plant`` names it.

    Raises:
        InvalidInput: nobody has a schedule yet.
    """
    if not Presentation.objects.filter(reading_set__assignment__in=seats).exists():
        raise InvalidInput(f"Study '{study.slug}' has no schedules yet: seat a reader and freeze it before the audit.")
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix="blindspot-audit-") as name:
        folder = Path(name)
        file = folder / "audit.sqlite3"
        presentations, rows = _copy(study, seats, plant, password, seed)
        (folder / "rows.json").write_text(serializers.serialize("json", rows), encoding="utf-8")
        with _server(file, folder, plant) as address:
            yield Copy(address, password, presentations)
