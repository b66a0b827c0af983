"""One attempt at a job: claim it, send heartbeats while it works, stop when asked, write how it ended."""

import logging
import os
import socket
import threading
import time
import traceback
from collections import deque
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Coalesce, Now

from core.errors import InvalidInput
from core.version import code_version
from jobs import services
from jobs.models import Job
from jobs.registry import kind_named

logger = logging.getLogger(__name__)
stop_requested = threading.Event()
"""Set when this process was asked to stop: the running job is then put back within a chunk."""

LOG_LINES = 200
RATE_WINDOW = 30.0  # seconds


class Interrupted(BaseException):
    """Ends the work from within its own progress calls. Not an ``Exception``: nothing on the way may swallow it."""


class Cancelled(Interrupted):
    """Somebody asked for it."""


class Lost(Interrupted):
    """This attempt was taken for lost, and another has been started."""


class Stopping(Interrupted):
    """The worker was asked to stop."""


def worker_name() -> str:
    return f"{socket.gethostname()[:80]}:{os.getpid()}"


class JobContext:
    """What work may do with its job: report progress, log a line, be stopped.

    The work's own thread writes nothing to the job's row, because it may be inside a transaction that is rolled back.
    The heartbeat's thread writes, with a connection of its own.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.interruption: type[Interrupted] | None = None
        self.rate: float | None = None
        self.done, self.total = job.done, job.total
        self.lines: deque[str] = deque(job.log.splitlines(), maxlen=LOG_LINES)
        self._seen: deque[tuple[float, int]] = deque()

    @property
    def part(self) -> tuple[int, int] | None:
        """``(i, n)`` where this is the i-th of n parts of a job."""
        if self.job.parent is None or self.job.part is None:
            return None
        return self.job.part, self.job.parent.parts.count()

    def progress(self, done: int, total: int) -> None:
        """A ``Progress``: called at least once per chunk; this is where the work is stopped.

        Raises:
            Interrupted: it was cancelled, or taken over by another worker, or this worker is stopping.
        """
        now = time.monotonic()
        if total != self.total or done < self.done:
            self._seen.clear()  # another stage of the work
        self.done, self.total = int(done), int(total)
        self._seen.append((now, self.done))
        while self._seen[-1][0] - self._seen[0][0] > RATE_WINDOW:
            self._seen.popleft()
        (first, start), (last, end) = self._seen[0], self._seen[-1]
        self.rate = (end - start) / (last - first) if last - first > 0.2 and end > start else None
        self.check()

    def check(self) -> None:
        """Stop here if that was asked for."""
        if self.interruption is not None:
            raise self.interruption
        if stop_requested.is_set():
            raise Stopping

    def log(self, message: str) -> None:
        self.lines.append(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {message}")

    def written(self) -> dict[str, Any]:
        """The fields that the heartbeat writes."""
        return {"done": self.done, "total": self.total, "rate": self.rate, "log": "\n".join(self.lines)}


class _LogTail(logging.Handler):
    """Copies what the job's own thread logs to the job's log."""

    def __init__(self, context: JobContext) -> None:
        super().__init__(logging.INFO)
        self.context = context
        self.thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.context.log(record.getMessage())


class _Heartbeat(threading.Thread):
    """Writes the job's heartbeat and progress while the work computes, and sees whether the job was cancelled.

    A thread is enough: torch releases the interpreter while it computes.
    """

    def __init__(self, context: JobContext) -> None:
        super().__init__(name=f"heartbeat of job {context.job.pk}", daemon=True)
        self.context = context
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            while not self.ended.wait(settings.JOBS_HEARTBEAT_SECONDS):
                try:
                    self.send()
                except DatabaseError as error:  # busy or away: the next heartbeat tries again
                    logger.warning("job %s: a heartbeat was missed (%s)", self.context.job.pk, error)
                    connection.close()
        finally:
            connection.close()

    def send(self) -> None:
        job, context = self.context.job, self.context
        this_attempt = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=Job.HELD)
        if not this_attempt.update(heartbeat_at=Now(), **context.written()):
            context.interruption = Lost
        elif this_attempt.filter(state=Job.State.CANCELLING).exists():
            context.interruption = Cancelled

    def stop(self) -> None:
        self.ended.set()
        self.join()


def _claim(job_id: int, attempt: int) -> Job | None:
    claimed = Job.objects.filter(pk=job_id, attempt=attempt, state=Job.State.QUEUED).update(
        state=Job.State.RUNNING,
        worker=worker_name(),
        worker_code_version=code_version(),
        heartbeat_at=Now(),
        started_at=Coalesce("started_at", Now()),
    )
    return Job.objects.select_related("parent", "requested_by").get(pk=job_id) if claimed else None


def run_attempt(job_id: int, attempt: int) -> str:
    """Do the work of this attempt, unless it is out of date. Returns the state in which the job is left."""
    job = _claim(job_id, attempt)
    if job is None:
        return "out of date"
    context = JobContext(job)
    context.log(f"Attempt {attempt} on {job.worker}.")
    log_tail, heartbeat = _LogTail(context), _Heartbeat(context)
    loggers = [logging.getLogger(name) for name in ("core", "jobs", "model", "attacks", "study")]
    levels = [wing.level for wing in loggers]
    for wing in loggers:
        wing.addHandler(log_tail)
        wing.setLevel(min(wing.getEffectiveLevel(), logging.INFO))
    heartbeat.start()
    try:
        outcome = _work(context)
    finally:
        for wing, level in zip(loggers, levels):
            wing.removeHandler(log_tail)
            wing.setLevel(level)
        heartbeat.stop()
    return _write_end(context, *outcome)


def _work(context: JobContext) -> tuple[str, dict[str, Any] | None, str]:
    """The work itself; what it raises becomes a state and an error that says what to do."""
    job = context.job
    arguments = dict(job.arguments)
    if context.part is not None:
        arguments["part"] = context.part
    try:
        context.check()
        result = kind_named(job.kind).work(context, **arguments)
    except Cancelled:
        return Job.State.CANCELLED, None, ""
    except Lost:
        return "lost", None, ""
    except (Stopping, KeyboardInterrupt, SystemExit):
        return Job.State.QUEUED, None, ""
    except InvalidInput as error:
        return Job.State.FAILED, None, str(error)
    except Exception as error:
        context.log(traceback.format_exc())
        logger.exception("job %s failed", job.pk)
        return Job.State.FAILED, None, f"{type(error).__name__}: {error}"
    return Job.State.DONE, result, ""


def _write_end(context: JobContext, state: str, result: dict[str, Any] | None, error: str) -> str:
    """Write the end, if this attempt still has the job. Tries again until the heartbeat would be stale."""
    deadline = time.monotonic() + settings.JOBS_STALE_SECONDS
    while True:
        try:
            return _write_end_once(context, state, result, error)
        except DatabaseError:
            if time.monotonic() > deadline:
                raise  # the heartbeat is stale by now: another attempt sees that the work is done and writes its end
            connection.close()
            time.sleep(0.5)


@transaction.atomic
def _write_end_once(context: JobContext, state: str, result: dict[str, Any] | None, error: str) -> str:
    job = services.locked(context.job)
    if state == "lost" or job.attempt != context.job.attempt or job.state not in Job.HELD:
        return "lost"
    for name, value in context.written().items():
        setattr(job, name, value)
    if state == Job.State.QUEUED and job.state == Job.State.CANCELLING:
        state = Job.State.CANCELLED
    if state == Job.State.QUEUED:
        services.release(job, reason=f"{job.worker} was asked to stop; the job was put back.")
    else:
        services.end(job, state, result=result, error=error)
    return str(state)
