"""The first page: readers go on to their studies, researchers and admins see the dashboard."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from attacks.models import Attack
from core.access import is_reader, researcher_page
from jobs import selectors as job_selectors
from jobs.models import Job
from model.models import Classifier, Dataset
from study import blinds as selectors

JOBS_SHOWN = 10


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponseBase:
    """The dashboard; readers go on to their studies."""
    return redirect("reading:home") if is_reader(request.user) else dashboard(request)


@researcher_page
def dashboard(request: HttpRequest) -> HttpResponse:
    """How many of everything there are, the jobs at work, the workers, and every study's progress without arms."""
    studies = selectors.studies_with_progress(request.user)
    active_jobs = job_selectors.jobs(request.user).filter(state__in=Job.ACTIVE)[:JOBS_SHOWN]
    context = {
        "counts": {
            "datasets": Dataset.objects.count(),
            "classifiers": Classifier.objects.count(),
            "attacks": Attack.objects.count(),
            "studies": len(studies),
        },
        "active_jobs": [{"job": job} | job_selectors.progress_of(job) for job in active_jobs],
        "workers": job_selectors.workers(),
        "studies": studies,
    }
    return render(request, "study/dashboard.html", context)
