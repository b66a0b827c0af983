"""The health check: whether answers could be stored just now."""

import os
import secrets
import tempfile

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.version import code_version

TRIED = bytes(65_536)


def database_takes_a_row() -> None:
    """Writes one and takes it back: nothing lasts."""
    with transaction.atomic():
        Session.objects.create(session_key=secrets.token_hex(16), session_data="", expire_date=timezone.now())
        transaction.set_rollback(True)


def home_takes_a_file() -> None:
    """Writes one through to the disk, under no name: it is gone when it is closed."""
    with tempfile.TemporaryFile(dir=settings.HOME) as file:
        file.write(TRIED)
        file.flush()
        os.fsync(file.fileno())


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the database and BLINDSPOT_HOME can be written to; 503 with what failed."""
    failed = {}
    for name, tried in (("database", database_takes_a_row), ("home", home_takes_a_file)):
        try:
            tried()
        except (DatabaseError, OSError) as error:
            failed[name] = error.strerror if isinstance(error, OSError) else type(error).__name__
    if failed:
        return JsonResponse({"status": "failing", **failed}, status=503)
    return JsonResponse({"status": "ok", "database": connection.vendor, "version": code_version()})
