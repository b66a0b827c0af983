"""The one task: an attempt at a job. The queue carries its number; the job's row says what to do."""

from django.db import close_old_connections
from django_tasks import task

from jobs.running import run_attempt


@task()
def run_job(job_id: int, attempt: int) -> str:
    """Returns the state in which the attempt left the job; a message that is out of date changes nothing."""
    close_old_connections()  # a worker that has long been idle may hold one that the server has closed
    return run_attempt(job_id, attempt)
