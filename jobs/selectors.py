"""Reading jobs: how far they are, and who is working."""

from datetime import timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from core.access import in_team, is_admin
from jobs.models import Job, JobWorker
from jobs.registry import kind_named
from jobs.services import stale_after


def jobs(user: Any) -> QuerySet[Job]:
    """Those that this person may see, newest first, without the parts of divided jobs."""
    return in_team(user, Job.objects.select_related("requested_by").defer("log").filter(parent=None))


def may_change(user: Any, job: Job) -> bool:
    """Whether this person may cancel and retry it: who asked for it, and admins."""
    return is_admin(user) or (job.requested_by_id is not None and job.requested_by_id == user.pk)


def arguments_for(user: Any, job: Job) -> dict[str, Any]:
    """The job's arguments without those that only admins may see, such as which readers a study has."""
    hidden = () if is_admin(user) else kind_named(job.kind).for_admins
    return {name: value for name, value in job.arguments.items() if name not in hidden}


def workers() -> QuerySet[JobWorker]:
    """Those that have been seen lately."""
    return JobWorker.objects.filter(seen_at__gte=Now() - stale_after() - timedelta(seconds=2))


def progress_of(job: Job) -> dict[str, Any]:
    """``done``, ``total``, ``fraction``, ``rate`` (units per second) and ``seconds_left``; None where unknown.

    Each part of a divided job counts through the whole, leaping over the others' chunks: the whole is their mean.
    """
    done, total, rate = float(job.done), job.total, job.rate
    if job.state == Job.State.WAITING:
        parts = list(job.parts.all())
        total = max((part.total for part in parts), default=0)
        shares = [part.done / part.total if part.total else 0.0 for part in parts]
        done = total * sum(shares) / len(shares) if shares else 0.0
        rates = [part.rate or 0.0 for part in parts]
        rate = sum(rates) / len(rates) if any(rates) else None
    working = rate and total and job.is_active and done < total  # what comes after the last unit is not counted
    left = (total - done) / rate if rate and working else None
    return {
        "done": int(done),
        "total": total,
        "fraction": done / total if total else None,
        "rate": rate,
        "seconds_left": left,
    }


def in_words(seconds: float | None) -> str:
    """``75`` -> ``1 min 15 s``."""
    if seconds is None:
        return ""
    whole = int(seconds + 0.5)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def state_of(job: Job) -> dict[str, Any]:
    """What a page that watches a job needs: one JSON object."""
    how_far = progress_of(job)
    return how_far | {
        "id": job.pk,
        "state": job.state,
        "state_text": job.get_state_display(),
        "active": job.is_active,
        "left_text": _left(job, how_far),
        "unit": job.unit,
        "attempt": job.attempt,
        "worker": job.worker,
        "log": job.log,
        "error": job.error,
    }


def _left(job: Job, how_far: dict[str, Any]) -> str:
    """In words; when all is counted and the job has not ended, its result is being summed up and stored."""
    if how_far["seconds_left"] is not None:
        return f"{in_words(how_far['seconds_left'])} left"
    last = job.state == Job.State.RUNNING and how_far["total"] and how_far["done"] >= how_far["total"]
    return "storing the result" if last else ""


def made_before(model: type[Model], name: str, job: Job) -> Any | None:
    """The row that an earlier attempt of this job finished before its worker was lost; None if there is none."""
    if job.attempt == 1 or job.started_at is None:
        return None
    return model._default_manager.filter(name=name, created_at__gte=job.started_at, created_by=job.requested_by).first()
