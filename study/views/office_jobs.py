"""Watching, stopping and retrying work."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from core.errors import BadInput
from model.jobs import selectors, services
from model.models import Job
from study.office_selectors import in_words, made_by
from study.views.office_common import paged, researcher_page


@require_safe
@researcher_page
def jobs(request: HttpRequest) -> HttpResponse:
    page = paged(request, selectors.jobs())
    rows = [{"job": job} | selectors.progress_of(job) for job in page]
    context = {"rows": rows, "page": page, "workers": selectors.workers()}
    return render(request, "office/jobs.html", context)


@require_safe
@researcher_page
def job(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Job.objects.select_related("parent"), pk=pk)
    context = {
        "job": found,
        "progress": selectors.state_of(found),
        "parts": [{"job": part} | selectors.progress_of(part) for part in found.parts.order_by("part")],
        "workers": selectors.workers(),
        "made": made_by(found),
        # Without the file store's own name of an uploaded file.
        "arguments": in_words({key: value for key, value in found.arguments.items() if key != "upload"}),
        "result": in_words(found.result or {}),
        "can_retry": found.state in (Job.State.FAILED, Job.State.CANCELLED),
        "can_cancel": found.is_active and found.state != Job.State.CANCELLING,
    }
    return render(request, "office/job.html", context)


@require_safe
@researcher_page
def job_state(request: HttpRequest, pk: int) -> JsonResponse:
    return JsonResponse(selectors.state_of(get_object_or_404(Job, pk=pk)))


@require_POST
@researcher_page
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    services.cancel(job=get_object_or_404(Job, pk=pk))
    return redirect(reverse("office:job", args=[pk]))


@require_POST
@researcher_page
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        services.retry(job=get_object_or_404(Job, pk=pk))
    except BadInput as error:
        messages.error(request, str(error))
    return redirect(reverse("office:job", args=[pk]))
