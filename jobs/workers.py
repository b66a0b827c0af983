"""Worker processes: the engine's own worker, and beside it a watchdog that puts back the jobs of lost workers."""

import logging
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.utils import timezone

from core.version import code_version
from jobs import services
from jobs.models import JobWorker
from jobs.running import stop_requested, worker_name

logger = logging.getLogger(__name__)


class Watchdog(threading.Thread):
    """Every few seconds: note that this worker lives, put back the jobs of lost workers, watch the parent process."""

    def __init__(self, *, with_parent: bool = False) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.parent = os.getppid() if with_parent else None
        self.ended = threading.Event()
        self.started_at = timezone.now()

    def run(self) -> None:
        while not self.ended.is_set():
            if self.parent is not None and os.getppid() != self.parent:
                os.kill(os.getpid(), signal.SIGTERM)
                break
            try:
                self.check()
            except DatabaseError as error:
                logger.warning("the watchdog's check failed (%s)", error)
                connection.close()
            except Exception:  # an unreachable queue must not end the watchdog
                logger.exception("the watchdog's check failed")
            self.ended.wait(settings.JOBS_HEARTBEAT_SECONDS)
        connection.close()

    def check(self) -> None:
        JobWorker.objects.update_or_create(
            name=worker_name(),
            defaults={"seen_at": Now(), "code_version": code_version()},
            create_defaults={"seen_at": Now(), "code_version": code_version(), "started_at": self.started_at},
        )
        for job in services.reap():
            logger.warning("job %s was taken from a lost worker", job.pk)

    def stop(self) -> None:
        self.ended.set()
        self.join(timeout=5)
        JobWorker.objects.filter(name=worker_name()).delete()


def work(*, burst: bool = False, with_parent: bool = False, interval: float = 1.0) -> None:
    """Work until told to stop (SIGTERM or SIGINT: the running job is put back within a chunk).

    ``burst`` ends when nothing is queued; ``with_parent`` ends when the parent process does.
    """
    stop_requested.clear()
    watchdog = Watchdog(with_parent=with_parent)
    watchdog.start()
    try:
        if settings.TASKS_BACKEND == "rq":
            _work_on_redis(burst=burst)
        else:
            _work_on_database(burst=burst, interval=interval)
    finally:
        watchdog.stop()


def _work_on_database(*, burst: bool, interval: float) -> None:
    from django_tasks_db.management.commands.db_worker import Worker

    class DatabaseWorker(Worker):
        def shutdown(self, signum: int, frame: Any) -> None:
            stop_requested.set()
            super().shutdown(signum, frame)

    worker = DatabaseWorker(
        queue_names=["default"],
        excluded_queue_names=[],
        interval=interval,
        batch=burst,
        backend_name="default",
        startup_delay=not burst,
        max_tasks=None,
        worker_id=worker_name()[-64:],
    )
    worker.configure_signals()
    worker.run()


def _work_on_redis(*, burst: bool) -> None:
    from django_rq.utils import reset_db_connections
    from django_rq.workers import get_worker
    from django_tasks_rq.backend import Job as RQJob
    from rq import SimpleWorker

    class RedisWorker(SimpleWorker):
        """Works in its own process: a CUDA context does not survive the fork of RQ's usual worker."""

        def request_stop(self, signum, frame):
            stop_requested.set()
            super().request_stop(signum, frame)

    # django-rq names rq's usual worker here; rq's simple one is its sibling and works as well.
    worker = get_worker("default", job_class=RQJob, worker_class=RedisWorker)  # type: ignore[arg-type]
    reset_db_connections()
    worker.work(burst=burst, logging_level="WARNING")
