"""The real server, gunicorn on a database file of its own, to be killed and started again by a test.

``python -m tests.own_server '{"cases": 20}'`` makes the study: run by ``OwnServer.prepare`` in the server's home.
"""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from study.blinding.servers import free_port, kill, start_gunicorn

ROOT = Path(__file__).resolve().parent.parent


class OwnServer:
    """One port, one home folder, and a gunicorn that comes and goes."""

    def __init__(self, home: Path):
        self.port = free_port()
        self.home = home
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {"BLINDSPOT_HOME": str(home), "LOG_LEVEL": "ERROR"}
        self.environment.pop("DATABASE_URL", None)
        self.process: subprocess.Popen | None = None

    def prepare(self, **study) -> None:
        """Migrate, and open a study for the reader of ``factories``."""
        command = [sys.executable, "-m", "tests.own_server", json.dumps(study)]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=240)

    def start(self) -> None:
        self.process = start_gunicorn(self.port, self.home / "gunicorn.log", environment=self.environment)

    def kill(self) -> None:
        """As the power fails."""
        if self.process is not None:
            kill(self.process)
            self.process = None

    def rows(self, query: str) -> list[tuple]:
        with sqlite3.connect(self.home / "blindspot.sqlite3", timeout=30) as database:
            return database.execute(query).fetchall()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.core.management import call_command

    from tests import factories

    call_command("migrate", verbosity=0)
    factories.open_study(**json.loads(sys.argv[1]))


if __name__ == "__main__":
    main()
