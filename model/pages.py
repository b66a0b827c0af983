"""The office's front page, and the data sets: import, counts, thumbnails."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from core import published
from core.access import researcher_page
from core.errors import InvalidInput
from core.pages import form_methods, image_response, in_words, show_error
from jobs.requests import request_page
from model import requests, selectors
from model.forms import CrossValidateForm, FolderForm, PanNukeForm, TrainForm
from model.models import Classifier, Dataset, Patch


@require_safe
@researcher_page
def datasets(request: HttpRequest) -> HttpResponse:
    return render(request, "model/datasets.html", {"datasets": selectors.datasets()})


@form_methods
@researcher_page
def new_dataset(request: HttpRequest, source: str) -> HttpResponse:
    """A zip file or folder with ``labels.csv``, or PanNuke's folders on the server."""
    form_class = {"folder": FolderForm, "pannuke": PanNukeForm}.get(source)
    if form_class is None:
        raise Http404
    form = form_class(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        order = requests.import_folder if source == "folder" else requests.import_pannuke
        try:
            job = order(by=request.user, **form.cleaned_data)
        except InvalidInput as error:
            show_error(form, error)
        else:
            return redirect("jobs:job", pk=job.pk)
    return render(
        request, "model/dataset_new.html", {"form": form, "source": source}, status=400 if form.errors else 200
    )


@require_safe
@researcher_page
def dataset(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Dataset, pk=pk)
    groups = selectors.groups(found)
    context = {
        "dataset": found,
        "groups": groups[:20],
        "group_count": len(groups),
        "cells": selectors.cell_counts(found),
        "thumbnails": selectors.thumbnails(found),
        "report": in_words(found.source),
    }
    return render(request, "model/dataset.html", context)


@require_safe
@researcher_page
def patch_image(request: HttpRequest, pk: int) -> HttpResponse:
    patch = get_object_or_404(Patch, pk=pk)
    return image_response(patch.image.name, patch.sha256)


@require_safe
@researcher_page
def classifiers(request: HttpRequest) -> HttpResponse:
    context = {
        "classifiers": selectors.classifiers(),
        "rows": selectors.table_1a_rows(),
        "paper": published.TABLE_1A,
    }
    return render(request, "model/classifiers.html", context)


@form_methods
@researcher_page
def new_classifier(request: HttpRequest) -> HttpResponse:
    def order(*, preset: str, **given: Any):
        return requests.train(preset_name=preset, **given)

    return request_page(
        request,
        TrainForm,
        order,
        title="Train a classifier",
        back="model:classifiers",
        lead="Patches of one slide or patient are kept together: in training, or in the test.",
        submit="Train",
    )


@form_methods
@researcher_page
def new_cross_validation(request: HttpRequest) -> HttpResponse:
    def order(*, preset: str, **given: Any):
        return requests.cross_validate(preset_name=preset, **given)

    return request_page(
        request,
        CrossValidateForm,
        order,
        title="Cross-validate",
        back="model:classifiers",
        lead="Table 1a: mean and standard deviation over runs and folds. Each finished fold is kept.",
        submit="Cross-validate",
    )


@require_safe
@researcher_page
def classifier(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Classifier.objects.select_related("dataset").defer("test_probabilities"), pk=pk)
    confusion = found.metrics.get("confusion")
    context = {
        "classifier": found,
        "tab": "overview",
        "confusion": confusion,
        "settings": in_words(found.settings),
        "rows": selectors.table_1a_rows(found.dataset),
        "paper": published.TABLE_1A,
    }
    return render(request, "model/classifier.html", context)
