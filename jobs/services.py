"""Submitting jobs, cancelling and retrying them, and putting back jobs whose worker is lost."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.functions import Now

from core.errors import InvalidInput
from core.version import code_version
from jobs import queue
from jobs.models import Job, JobWorker
from jobs.registry import kind_named

MAX_LOST = 3
MAX_PARTS = 256


def stale_after() -> timedelta:
    """Heartbeats older than this are stale."""
    return timedelta(seconds=settings.JOBS_STALE_SECONDS)


@transaction.atomic
def submit(
    *,
    kind: str,
    arguments: dict[str, Any],
    requested_by: Any = None,
    title: str = "",
    parts: int = 1,
    team: Group | None = None,
) -> Job:
    """Put a job into the queue, where a worker takes it. ``arguments`` are JSON values. ``team`` alone sees it.

    With ``parts`` > 1 the chunks of divisible work are shared out among as many jobs, one for each worker. The job
    returned waits for them and then sums up.

    Raises:
        InvalidInput: an unknown kind, or a number of parts that this kind cannot be divided into.
    """
    what = kind_named(kind)
    if not 1 <= parts <= MAX_PARTS:
        raise InvalidInput(f"{parts} is out of range; 1 to {MAX_PARTS}.", field="parts")
    if parts > 1 and not what.divisible:
        raise InvalidInput(f"'{what.title}' cannot be divided over workers.", field="parts")
    common = {
        "kind": kind,
        "arguments": arguments,
        "unit": what.unit,
        "code_version": code_version(),
        "requested_by": requested_by,
        "requester": requested_by.get_username() if requested_by else "command line",
        "team": team,
    }
    title = (title or what.title)[:200]
    if parts == 1:
        job = Job.objects.create(title=title, **common)
        _enqueue(job)
        return job
    job = Job.objects.create(title=title, state=Job.State.WAITING, **common)
    for part in range(parts):
        _enqueue(
            Job.objects.create(title=f"{title[:170]} (part {part + 1} of {parts})", parent=job, part=part, **common)
        )
    return job


def submit_once(*, kind: str, arguments: dict[str, Any], **more: Any) -> Job:
    """As ``submit``; but where the same has been asked for and has not ended, that job."""
    for job in Job.objects.filter(kind=kind, state__in=Job.ACTIVE, parent=None):
        if job.arguments == arguments:
            return job
    return submit(kind=kind, arguments=arguments, **more)


def _enqueue(job: Job) -> None:
    """Send the current attempt to the task queue after the commit. If that fails, ``reap`` sends it later."""
    Job.objects.filter(pk=job.pk).update(queued_at=Now())
    transaction.on_commit(partial(_send, job.pk, job.attempt), robust=True)


def _send(job_id: int, attempt: int) -> None:
    task_id = queue.send(job_id, attempt)
    Job.objects.filter(pk=job_id, attempt=attempt).update(task_id=task_id, queued_at=Now())


def locked(job: Job) -> Job:
    """The row, locked; its parent's row first. All lock in this order, so that there is no deadlock."""
    if job.parent_id is not None:
        Job.objects.select_for_update().get(pk=job.parent_id)
    return Job.objects.select_for_update().get(pk=job.pk)


@transaction.atomic
def cancel(*, job: Job) -> Job:
    """Stop a job: at once if no worker has it, else within a chunk. A job that has ended stays as it is."""
    job = locked(job)
    if job.state in (Job.State.QUEUED, Job.State.WAITING):
        end(job, Job.State.CANCELLED)
    elif job.state == Job.State.RUNNING:
        job.state = Job.State.CANCELLING
        job.save(update_fields=["state"])
    for part in job.parts.filter(state__in=Job.ACTIVE):
        cancel(job=part)
    return job


@transaction.atomic
def retry(*, job: Job) -> Job:
    """Try a failed or cancelled job again; finished chunks are kept and not computed again.

    Raises:
        InvalidInput: it is active, or done.
    """
    job = locked(job)
    if job.state not in (Job.State.FAILED, Job.State.CANCELLED):
        raise InvalidInput(
            f"Job {job.pk} is {job.get_state_display()}; only one that failed or was cancelled is retried."
        )
    if job.parent is not None and job.parent.state in Job.ENDED:
        raise InvalidInput(f"Job {job.pk} is a part of job {job.parent_id}; retry that one.")
    parts = list(job.parts.exclude(state=Job.State.DONE))
    job.error, job.finished_at, job.lost = "", None, 0
    _requeue(job, state=Job.State.WAITING if parts else Job.State.QUEUED)
    for part in parts:
        part.error, part.finished_at, part.lost = "", None, 0
        _requeue(part)
    return job


def _requeue(job: Job, *, state: str = Job.State.QUEUED) -> None:
    job.state = state
    job.attempt += 1
    job.worker, job.heartbeat_at, job.rate, job.task_id = "", None, None, ""
    job.save()
    if state == Job.State.QUEUED:
        _enqueue(job)


def end(job: Job, state: str, *, result: dict[str, Any] | None = None, error: str = "") -> None:
    """Write how a job ended; after the last part, its parent is queued. Call inside a transaction."""
    job.state, job.result, job.error = state, result, error
    job.rate = None
    if state == Job.State.DONE:
        job.done = job.total = max(job.done, job.total)
    job.save()
    Job.objects.filter(pk=job.pk).update(finished_at=Now())
    if job.parent_id is not None:
        _after_part(job, job.parent_id)
    elif state == Job.State.DONE and (cleanup := kind_named(job.kind).cleanup):
        transaction.on_commit(partial(cleanup, **job.arguments), robust=True)


def _after_part(part: Job, parent_id: int) -> None:
    parent = Job.objects.select_for_update().get(pk=parent_id)
    if parent.state != Job.State.WAITING:
        return
    if part.state != Job.State.DONE:
        end(parent, part.state, error=f"Job {part.pk}: {part.error}" if part.error else "")
        for sibling in parent.parts.filter(state__in=Job.ACTIVE):
            cancel(job=sibling)
    elif not parent.parts.exclude(state=Job.State.DONE).exists():
        parent.state = Job.State.QUEUED
        parent.save(update_fields=["state"])
        _enqueue(parent)


def release(job: Job, *, reason: str) -> None:
    """Put a job back for the next worker, because this one was asked to stop. Call inside a transaction."""
    job.log = _with_line(job.log, reason)
    _requeue(job)


def _with_line(log: str, line: str) -> str:
    return f"{log.rstrip()}\n{line}".lstrip()


def reap() -> list[Job]:
    """Put back jobs whose heartbeat is stale, and send lost messages again. Any worker may call it.

    Returns:
        the jobs that were taken from a lost worker.
    """
    taken_back = []
    for candidate in Job.objects.filter(state__in=Job.HELD, heartbeat_at__lt=Now() - stale_after()):
        with transaction.atomic():
            # Another worker may have been quicker, or a heartbeat may have come after all.
            job = locked(candidate)
            still_stale = Job.objects.filter(pk=job.pk, state__in=Job.HELD, heartbeat_at__lt=Now() - stale_after())
            if job.attempt != candidate.attempt or not still_stale.exists():
                continue
            _end_lost_attempt(job)
            taken_back.append(job)
    for job in Job.objects.filter(state=Job.State.QUEUED, queued_at__lt=Now() - stale_after()):
        if not queue.message_waits(job.task_id):
            _send(job.pk, job.attempt)
    JobWorker.objects.filter(seen_at__lt=Now() - timedelta(days=1)).delete()
    return taken_back


def _end_lost_attempt(job: Job) -> None:
    """End an attempt whose worker is lost: cancel the job if that was asked for, fail it after ``MAX_LOST`` losses,
    else put it back.
    """
    job.lost += 1
    worker, task_id = job.worker or "its worker", job.task_id
    if job.state == Job.State.CANCELLING:
        end(job, Job.State.CANCELLED)
    elif job.lost >= MAX_LOST:
        end(
            job,
            Job.State.FAILED,
            error=f"The worker was lost {job.lost} times, the last was {worker}: killed, out of memory, or its machine "
            "went away. What was finished is kept; look at the machine's log, then retry.",
        )
    else:
        job.log = _with_line(job.log, f"{worker} was lost in attempt {job.attempt}; the job was put back.")
        _requeue(job)
    queue.close_message(task_id)
