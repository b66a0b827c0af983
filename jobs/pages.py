"""Pages: the list of jobs, one job with its progress, cancelling and retrying."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from core.access import in_team, researcher_page
from core.errors import InvalidInput
from core.lists import Column, Filter, listed
from core.pages import in_words
from core.uploads import is_upload
from jobs import selectors, services
from jobs.models import Job
from jobs.registry import kind_named, kinds

COLUMNS = [
    Column("No.", "pk", number=True, key="number"),
    Column("Job", "title", key="job"),
    Column("State", "state"),
    Column("Progress", css="bar"),
    Column("Requested by", "requester", key="by"),
    Column("Requested", "created_at", key="requested"),
]


@require_safe
@researcher_page
def jobs(request: HttpRequest) -> HttpResponse:
    """All jobs and the running workers."""
    shown = listed(
        request, selectors.jobs(request.user), columns=COLUMNS, search=("title", "requester"), searches="job, person",
        filters=[
            Filter("state", "State", "state", Job.State.choices),
            Filter("kind", "Kind", "kind", [(kind.name, kind.title) for kind in kinds()]),
        ],
    )  # fmt: skip
    rows = [{"job": job} | selectors.progress_of(job) for job in shown.page]
    context = {"rows": rows, "list": shown, "workers": selectors.workers()}
    return render(request, "jobs/jobs.html", context)


@require_safe
@researcher_page
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """One job: its request, progress, results and log."""
    job = _job(request, pk)
    context = {
        "job": job,
        "progress": selectors.state_of(job),
        "may_change": selectors.may_change(request.user, job),
        "parts": [{"job": part} | selectors.progress_of(part) for part in job.parts.order_by("part")],
        "workers": selectors.workers(),
        "links": links_to_results(job),
        # An uploaded file's name in the file store means nothing to people.
        "arguments": in_words(
            {k: v for k, v in selectors.arguments_for(request.user, job).items() if not is_upload(k)}
        ),
        "result": in_words(job.result or {}),
        "again": _again(request, job),
        "can_retry": job.state in (Job.State.FAILED, Job.State.CANCELLED),
        "can_cancel": job.is_active and job.state != Job.State.CANCELLING,
    }
    return render(request, "jobs/job.html", context)


@require_safe
@researcher_page
def job_state(request: HttpRequest, pk: int) -> JsonResponse:
    """The job's state and progress as JSON, for the page that watches it."""
    return JsonResponse(selectors.state_of(_job(request, pk)))


@require_POST
@researcher_page
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop the job within a chunk: who asked for it may, and admins."""
    services.cancel(job=_own_job(request, pk))
    return redirect(reverse("jobs:job", args=[pk]))


@require_POST
@researcher_page
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a failed or cancelled job again; finished chunks are kept. Who asked for it may, and admins."""
    job = _own_job(request, pk)
    try:
        services.retry(job=job)
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect(reverse("jobs:job", args=[pk]))


def _job(request: HttpRequest, pk: int) -> Job:
    return get_object_or_404(in_team(request.user, Job.objects.select_related("parent")), pk=pk)


def _own_job(request: HttpRequest, pk: int) -> Job:
    job = _job(request, pk)
    if not selectors.may_change(request.user, job):
        raise PermissionDenied
    return job


def _again(request: HttpRequest, job: Job) -> str:
    """Of a job that failed or was cancelled: its form, filled in with what was asked for."""
    form = kind_named(job.kind).form
    mine = selectors.may_change(request.user, job) and job.parent_id is None
    if form is None or not mine or job.state not in (Job.State.FAILED, Job.State.CANCELLED):
        return ""
    address = form(job.arguments)
    return f"{address}{'&' if '?' in address else '?'}job={job.pk}"


def links_to_results(job: Job) -> list[dict[str, str]]:
    """Links to the results of a finished job, as far as they still exist."""
    kind = kind_named(job.kind)
    if not job.result or kind.links is None:
        return []
    return [
        {"text": link.text, "url": reverse(link.address, args=link.args)}
        for link in kind.links(job.arguments, job.result)
    ]
