"""The first page after signing in: readers go to their studies, researchers and admins see what there is."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from attacks.models import Attack
from core.access import is_reader, researcher_page
from jobs import selectors as job_selectors
from jobs.models import Job
from model.models import Classifier, Dataset
from study import blinds as selectors
from study.models import Study


@require_safe
@researcher_page
def dashboard(request: HttpRequest) -> HttpResponse:
    active = [
        {"job": job} | job_selectors.progress_of(job) for job in job_selectors.jobs().filter(state__in=Job.ACTIVE)
    ]
    context = {
        "counts": {
            "datasets": Dataset.objects.count(),
            "classifiers": Classifier.objects.count(),
            "attacks": Attack.objects.count(),
            "studies": Study.objects.count(),
        },
        "active": active[:10],
        "workers": job_selectors.workers(),
    }
    return render(request, "study/dashboard.html", context)


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Readers go to their studies; researchers and admins see every study's state and progress, without arms."""
    if is_reader(request.user):
        return redirect("reading:home")
    return render(request, "study/home.html", {"studies": selectors.studies_with_progress()})
