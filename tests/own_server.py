"""The real server, gunicorn on a database of its own, to be killed and started again by a test.

``python -m tests.own_server '{"cases": 20}'`` makes the studies: run by ``OwnServer.prepare`` in the server's home.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from study.blinding.servers import free_port, kill, start_gunicorn

ROOT = Path(__file__).resolve().parent.parent


class OwnServer:
    """One port, one home folder, and a gunicorn that comes and goes.

    Args:
        database: the address of a PostgreSQL database; by default a SQLite file in ``home``.
        more: of gunicorn's environment.
        options: of gunicorn.
    """

    def __init__(self, home: Path, database: str = "", more: Mapping[str, str] | None = None, options: tuple = ()):
        self.port = free_port()
        self.home = home
        self.database = database
        self.options = options
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {"BLINDSPOT_HOME": str(home), "LOG_LEVEL": "ERROR"} | (more or {})
        self.environment.pop("DATABASE_URL", None)
        if database:
            self.environment["DATABASE_URL"] = database
        self.log = home.parent / f"{home.name}.log"  # not where a disk may be full
        self.process: subprocess.Popen | None = None

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=600)

    def prepare(self, **study) -> dict[str, str]:
        """Migrate, and open a study, or ``studies`` of them, for the ``readers``; or leave an admin a ``draft``.

        Returns:
            the key of a session of each of them.
        """
        command = [sys.executable, "-m", "tests.own_server", json.dumps(study)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, timeout=600, stdout=subprocess.PIPE, text=True
        )
        return json.loads(done.stdout)

    def start(self) -> None:
        self.process = start_gunicorn(self.port, self.log, *self.options, environment=self.environment)

    def kill(self) -> None:
        """As the power fails."""
        if self.process is not None:
            kill(self.process)
            self.process = None

    def workers(self) -> list[int]:
        """The processes of gunicorn that answer requests."""
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def kill_worker(self, number: int) -> None:
        """The ``number``-th of its processes dies; gunicorn starts another."""
        workers: list[int] = []
        while not workers:
            workers = self.workers()
            time.sleep(0.0 if workers else 0.01)
        with suppress(ProcessLookupError):
            os.kill(workers[number % len(workers)], signal.SIGKILL)

    def rows(self, query: str) -> list[tuple]:
        if self.database:
            import psycopg

            with psycopg.connect(self.database) as database:
                return database.execute(query).fetchall()
        with sqlite3.connect(self.home / "blindspot.sqlite3", timeout=30) as database:
            return database.execute(query).fetchall()


def session_of(user) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.cookies["sessionid"].value


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from core.models import User
    from tests import factories, ladders

    call_command("migrate", verbosity=0)
    asked = json.loads(sys.argv[1])
    make = ladders.opened if "ladder_" in asked else factories.open_study
    if not asked.pop("passwords", True):  # nobody will sign in: hashing takes half a second each
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if asked.pop("draft", False):  # with an admin, who goes on
        admin = factories.user("admin", role="admin")
        factories.draft_study(**asked)
        print(json.dumps({admin.username: session_of(admin)}))  # noqa: T201
        return
    names = asked.pop("readers", ["reader"])
    slug = asked.pop("slug", "small")
    readers = [factories.user(name) for name in names]
    count = asked.pop("studies", 0)
    slugs = [f"{slug}-{number}" for number in range(count)] if count else [slug]
    for name in slugs:
        make(slug=name, readers=tuple(names), **asked)
    print(json.dumps({reader.username: session_of(User.objects.get(pk=reader.pk)) for reader in readers}))  # noqa: T201


if __name__ == "__main__":
    main()
