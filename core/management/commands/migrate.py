"""Django's ``migrate``, one at a time: two services that start together would both make the same tables."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections

KEY = 7_203_114
"""Of PostgreSQL's advisory lock; any number that nobody else uses in this database."""


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> Any:
        """Around the system checks, too: they ask the database what it can do."""
        with self._alone(options["database"]):
            return super().execute(*args, **options)

    @contextlib.contextmanager
    def _alone(self, database: str) -> Iterator[None]:
        """Waits until no other migrate runs on this database; the lock ends with the process."""
        connection = connections[database]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [KEY])
                if not cursor.fetchone()[0]:
                    self._say_waiting()
                    cursor.execute("SELECT pg_advisory_lock(%s)", [KEY])
            try:
                yield
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [KEY])
            return
        with (Path(settings.HOME) / "migrate.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say_waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _say_waiting(self) -> None:
        self.stderr.write("Another migrate is running on this database; waiting for it to end.")
