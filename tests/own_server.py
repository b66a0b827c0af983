"""The real server, gunicorn on a database file of its own, to be killed and started again by a test.

``python -m tests.own_server '{"cases": 20}'`` makes the study: run by ``OwnServer.prepare`` in the server's home.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class OwnServer:
    """One port, one home folder, and a gunicorn that comes and goes."""

    def __init__(self, home: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
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
        command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.py"]  # as `make serve` does
        self.process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{self.port}", "--log-level", "critical"],
            cwd=ROOT,
            env=self.environment,
            start_new_session=True,
        )
        end = time.monotonic() + 300
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.address + "/healthz", timeout=10):
                    return
            except OSError:
                assert self.process.poll() is None, "the server ended by itself"
                time.sleep(0.1)
        raise AssertionError("the server did not start")

    def kill(self) -> None:
        """As the power fails: no farewell to anybody."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
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
