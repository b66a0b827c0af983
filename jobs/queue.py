"""The task queue (django-tasks), and what has to be repaired around it, in one place.

A queue carries nothing but a job's number and attempt; the job's own row holds the truth (docs/decisions/0005). Two
things are mended here: a message may be lost (``message_waits``), and the database engine leaves the task of a killed
worker RUNNING for ever (``close_message``). With Django 6 ``django_tasks`` becomes ``django.tasks``.
"""

from django.utils.module_loading import import_string
from django_tasks import default_task_backend
from django_tasks.base import TaskResultStatus
from django_tasks.exceptions import TaskResultDoesNotExist

TASK = "jobs.tasks.run_job"
"""Named, not imported: who puts work into the queue does not depend on what does it."""


def send(job_id: int, attempt: int) -> str:
    """Put an attempt into the queue; the queue's own name for it."""
    return str(import_string(TASK).enqueue(job_id=job_id, attempt=attempt).id)


def message_waits(task_id: str) -> bool:
    """Whether the queue still holds this message for a worker to take."""
    try:
        return bool(task_id) and default_task_backend.get_result(task_id).status == TaskResultStatus.READY
    except TaskResultDoesNotExist:
        return False


def close_message(task_id: str) -> None:
    """Say that a killed worker's task failed; RQ tidies up itself."""
    try:
        row = getattr(default_task_backend.get_result(task_id), "db_result", None) if task_id else None
    except TaskResultDoesNotExist:
        return
    if row is not None and row.status == TaskResultStatus.RUNNING:
        row.set_failed(RuntimeError("the worker was lost"))
