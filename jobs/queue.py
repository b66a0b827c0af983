"""The task queue (django-tasks), and what has to be repaired around it, in one place.

The queue carries only a job's id and attempt; everything else stands on the job's own row
(docs/decisions/0005-jobs-keep-their-state-on-their-own-row.md). Two things are repaired here. A message may be lost:
``message_waits`` tells ``services.reap``, which sends it again. The database engine leaves the task of a killed worker
RUNNING for ever: ``close_message`` marks it as failed. With Django 6 ``django_tasks`` becomes ``django.tasks``.
"""

from django.utils.module_loading import import_string
from django_tasks import default_task_backend
from django_tasks.base import TaskResultStatus
from django_tasks.exceptions import TaskResultDoesNotExist

TASK = "jobs.tasks.run_job"
"""Named, not imported: code that submits jobs does not depend on the code that runs them."""


def send(job_id: int, attempt: int) -> str:
    """Put an attempt into the queue; returns the queue's own id for it."""
    return str(import_string(TASK).enqueue(job_id=job_id, attempt=attempt).id)


def message_waits(task_id: str) -> bool:
    """Whether the queue still holds this message for a worker to take."""
    try:
        return bool(task_id) and default_task_backend.get_result(task_id).status == TaskResultStatus.READY
    except TaskResultDoesNotExist:
        return False


def close_message(task_id: str) -> None:
    """Mark a killed worker's task as failed; RQ does so by itself."""
    try:
        row = getattr(default_task_backend.get_result(task_id), "db_result", None) if task_id else None
    except TaskResultDoesNotExist:
        return
    if row is not None and row.status == TaskResultStatus.RUNNING:
        row.set_failed(RuntimeError("the worker was lost"))
