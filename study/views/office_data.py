"""The office's front page, and the data sets: import, counts, thumbnails."""

import logging

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from attacks.models import Attack
from core.errors import BadInput
from core.images import read_bytes
from model.jobs import selectors as job_selectors
from model.models import Classifier, Dataset, Job, Patch
from study import office_selectors, orders
from study.models import Study
from study.office_forms import FolderForm, PanNukeForm
from study.views.office_common import researcher_page, say_at_field

log = logging.getLogger(__name__)
page_methods = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@researcher_page
def office(request: HttpRequest) -> HttpResponse:
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
    return render(request, "office/office.html", context)


@require_safe
@researcher_page
def datasets(request: HttpRequest) -> HttpResponse:
    return render(request, "office/datasets.html", {"datasets": office_selectors.datasets()})


@page_methods
@researcher_page
def new_dataset(request: HttpRequest, source: str) -> HttpResponse:
    """A zip file or folder with ``labels.csv``, or PanNuke's folders on the server."""
    form_class = {"folder": FolderForm, "pannuke": PanNukeForm}.get(source)
    if form_class is None:
        raise Http404
    form = form_class(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        order = orders.import_folder if source == "folder" else orders.import_pannuke
        try:
            job = order(by=request.user, **form.cleaned_data)
        except BadInput as error:
            say_at_field(form, error)
        else:
            return redirect("office:job", pk=job.pk)
    return render(
        request, "office/dataset_new.html", {"form": form, "source": source}, status=400 if form.errors else 200
    )


@require_safe
@researcher_page
def dataset(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Dataset, pk=pk)
    groups = office_selectors.groups(found)
    context = {
        "dataset": found,
        "groups": groups[:20],
        "group_count": len(groups),
        "cells": office_selectors.cell_counts(found),
        "thumbnails": office_selectors.thumbnails(found),
        "report": office_selectors.in_words(found.source),
    }
    return render(request, "office/dataset.html", context)


@require_safe
@researcher_page
def patch_image(request: HttpRequest, pk: int) -> HttpResponse:
    patch = get_object_or_404(Patch, pk=pk)
    return image_response(patch.image.name, patch.sha256)


def image_response(name: str, sha256: str) -> HttpResponse:
    """A stored image; its bytes never change, so a browser may keep them for itself. Changed or gone: 404, logged."""
    try:
        content = read_bytes(name, sha256=sha256)
    except BadInput as error:
        log.error("an image is not shown: %s", error)
        raise Http404 from None
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return HttpResponse(content, content_type="image/png", headers=headers)
