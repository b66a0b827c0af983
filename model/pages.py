"""Data sets and classifiers: importing, training, counts, thumbnails."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from core import published
from core.access import researcher_page
from core.lists import Column, Filter, listed, yes_no
from core.pages import form_methods, image_response, in_words
from core.requests import Request
from jobs.models import Job
from jobs.requests import request_page
from model import requests, selectors
from model.import_requests import ImportClassifierRequest, import_network, keep_network
from model.models import Classifier, Dataset, Patch
from model.requests import CrossValidationRequest, PanNukeRequest, PatchesRequest, TrainRequest

IMPORTS: dict[str, tuple[type[Request], Callable[..., Job]]] = {
    "folder": (PatchesRequest, requests.import_folder),
    "pannuke": (PanNukeRequest, requests.import_pannuke),
}
"""By the last part of the address: what is asked for, and what asks for it."""
THUMBNAILS = 48
TOLD_APART = ("notes", "groups", "imported")
"""Settings of a classifier that its page tells at places of their own."""
DATASETS = [
    Column("Name", "name"),
    Column("Kind", "kind"),
    Column("Size", "size", number=True),
    Column("Positives", "positives", number=True),
    Column("Negatives", "negatives", number=True),
    Column("Excluded", "excluded", number=True),
    Column("Classifiers", "classifier_count", number=True, key="classifiers"),
    Column("Imported", "created_at", key="imported"),
]
CLASSIFIERS = [
    Column("Name", "name"),
    Column("Data set", "dataset__name", key="dataset"),
    Column("Network", "arch", key="network"),
    Column("Preset", "settings__preset", key="preset"),
    Column("Test patches", "metrics__n", number=True, key="test"),
    Column("Accuracy", "metrics__accuracy", number=True, key="accuracy"),
    Column("AUC", "metrics__auc", number=True, key="auc"),
    Column("Attacks", "attack_count", number=True, key="attacks"),
    Column("Made", "created_at", key="made"),
    Column("Compare", css="pick"),
]


@require_safe
@researcher_page
def datasets(request: HttpRequest) -> HttpResponse:
    kinds = Filter("kind", "Kind", "kind", Dataset.Kind.choices)
    shown = listed(request, selectors.datasets(), columns=DATASETS, search=("name",), filters=[kinds])
    return render(request, "model/datasets.html", {"list": shown})


@form_methods
@researcher_page
def new_dataset(request: HttpRequest, source: str) -> HttpResponse:
    """A zip file or folder with ``labels.csv``, or PanNuke's folders on the server."""
    if source not in IMPORTS:
        raise Http404
    declared, ask = IMPORTS[source]
    return request_page(request, declared, ask, template="model/dataset_new.html", source=source)


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
        "list": listed(
            request,
            found.patches.order_by("index"),
            search=("name", "group"),
            searches="patch, slide or patient",
            filters=[yes_no("tumour", "Label", "tumour", yes="tumour", no="no tumour")],
            per_page=THUMBNAILS,
        ),
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
    presets = Filter("preset", "Preset", "settings__preset", [(name, name) for name, _ in requests.PRESETS])
    shown = listed(
        request, selectors.classifiers(), columns=CLASSIFIERS, search=("name", "dataset__name"),
        searches="name, data set", filters=[presets],
    )  # fmt: skip
    context = {
        "list": shown,
        "rows": selectors.table_1a_rows(),
        "paper": published.TABLE_1A,
    }
    return render(request, "model/classifiers.html", context)


@form_methods
@researcher_page
def new_classifier(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        TrainRequest,
        requests.train,
        title="Train a classifier",
        back="model:classifiers",
        lead="Patches of one slide or patient are kept together: in training, or in the test.",
        submit="Train",
    )


@form_methods
@researcher_page
def import_classifier(request: HttpRequest) -> HttpResponse:
    """A lab's own network: its file is uploaded, and what the file does not say is asked."""
    return request_page(
        request,
        ImportClassifierRequest,
        import_network,
        template="model/classifier_import.html",
        keep=keep_network,
    )


@form_methods
@researcher_page
def new_cross_validation(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        CrossValidationRequest,
        requests.cross_validate,
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
        "settings": in_words({name: value for name, value in found.settings.items() if name not in TOLD_APART}),
        "watched": [row for row in found.history if "held_out_robust_accuracy" in row],
        "rows": selectors.table_1a_rows(found.dataset),
        "paper": published.TABLE_1A,
    }
    return render(request, "model/classifier.html", context)
