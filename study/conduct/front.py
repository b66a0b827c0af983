"""The first page: readers go on to their studies, researchers and admins see the dashboard."""

from typing import Any

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
from study.models import Study

JOBS_SHOWN = STUDIES_SHOWN = 10
NEXT = {
    Study.State.DRAFT: "look at the preview, then freeze it",
    Study.State.FROZEN: "open it to its readers",
    Study.State.CLOSED: "unblind it to see the results",
}
"""What a study waits for; one that is open waits for its readers."""


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponseBase:
    """The dashboard; readers go on to their studies."""
    return redirect("reading:home") if is_reader(request.user) else dashboard(request)


@researcher_page
def dashboard(request: HttpRequest) -> HttpResponse:
    """How many of everything there are, the jobs at work, the workers, and what each study under way waits for."""
    active_jobs = job_selectors.jobs(request.user).filter(state__in=Job.ACTIVE)[:JOBS_SHOWN]
    context = {
        "counts": {
            "datasets": Dataset.objects.count(),
            "classifiers": Classifier.objects.count(),
            "attacks": Attack.objects.count(),
            "studies": selectors.studies_for(request.user).count(),
        },
        "active_jobs": [{"job": job} | job_selectors.progress_of(job) for job in active_jobs],
        "workers": job_selectors.workers(),
        "next_steps": next_steps(request.user),
    }
    return render(request, "study/dashboard.html", context)


def next_steps(user: Any) -> list[dict[str, Any]]:
    """The studies under way, each with what it waits for, those that wait for their admin first."""
    rows = []
    under_way = selectors.studies_for(user).exclude(state=Study.State.UNBLINDED).defer("protocol", "source")
    for study in under_way[:STUDIES_SHOWN]:
        planned, answered = selectors.progress_counts(study)
        waits_for_readers = study.state == Study.State.OPEN and (answered < planned or not planned)
        if study.state == Study.State.OPEN:
            said = f"{answered} of {planned} answered" if waits_for_readers else "everything is answered: close it"
        else:
            said = NEXT[Study.State(study.state)]
        rows.append({"study": study, "said": said, "waits_for_readers": waits_for_readers})
    return sorted(rows, key=lambda row: row["waits_for_readers"])
