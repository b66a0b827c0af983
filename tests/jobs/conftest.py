"""Real worker processes on the tests' own database and queue."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as project
from django.db import connection

import tests.jobs.kinds  # noqa: F401  (registers them here, too)
from jobs.models import Job

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = (str(ROOT / "tests/jobs/worker.py"),)
HEARTBEAT, STALE = 0.2, 3.0


def database_url() -> str:
    """The test database, for another process."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )


def wait_for(condition, seconds: float = 120.0, what: str = "the condition"):
    """The first true value of ``condition()``. Starting a worker takes seconds, on a busy machine many."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about within {seconds} s")


class Crew:
    """Workers of one test; none outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen] = []

    def start(self, *arguments: str, command: tuple[str, ...] = WORKER, **environment: str):
        environment = os.environ | {
            "DATABASE_URL": database_url(),
            "JOBS_HEARTBEAT_SECONDS": str(HEARTBEAT),
            "JOBS_STALE_SECONDS": str(STALE),
            "OMP_NUM_THREADS": "1",
        } | environment  # fmt: skip
        with (self.folder / f"worker-{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *command, *arguments], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def logs(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("worker-*.log")))

    def end(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def crew(transactional_db, settings, tmp_path):
    settings.JOBS_HEARTBEAT_SECONDS, settings.JOBS_STALE_SECONDS = HEARTBEAT, STALE
    settings.STORAGES = project.STORAGES  # the same files as the workers'
    if project.TASKS_BACKEND == "rq":
        import django_rq

        django_rq.get_connection().flushdb()
    crew = Crew(tmp_path)
    yield crew
    crew.end()


def seen(job: Job) -> Job:
    job.refresh_from_db()
    return job
