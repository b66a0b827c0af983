"""Classifiers side by side, as a page and as CSV: how they were made, and how well they do on their test patches."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from core.access import researcher_page
from core.pages import in_words
from core.proportions import share_over_units
from core.side_by_side import Cell, Line, SideBySide, Thing
from model.learning.ranking import auc_over_units
from model.models import Classifier, Patch

TEST, MADE = "On its test patches", "How it was made"


def thing(classifier: Classifier) -> Thing:
    return Thing(str(classifier.pk), classifier.name, reverse("model:classifier", args=[classifier.pk]))


def lines(classifier: Classifier) -> Iterator[Line]:
    yield from _judged(classifier)
    for title, value in (
        ("Data set", classifier.dataset.name), ("Network", classifier.arch), ("Start", classifier.initialisation),
        ("Seed", str(classifier.seed)), *((name.capitalize(), value) for name, value in _settings(classifier).items()),
        ("Version", classifier.code_version),
    ):  # fmt: skip
        yield MADE, title, Cell(value, value)


def _settings(classifier: Classifier) -> dict[str, str]:
    return in_words({name: value for name, value in classifier.settings.items() if name != "trajectory"})


def _judged(classifier: Classifier) -> Iterator[Line]:
    table = _answers(classifier)
    if table is None:
        yield TEST, "Test patches", Cell("none judged")
    else:
        truth, given, unit = table
        units = len(set(unit.tolist()))
        over = "patches" if units == len(unit) else "slides or patients"
        yield TEST, "Test patches", Cell(str(len(truth)), len(truth), note=f"{units} {over}")
        share, (low, high) = share_over_units((given >= 0.5) == truth, unit)
        yield (
            TEST,
            "Accuracy",
            Cell(f"{share:.3f} ({low:.3f} to {high:.3f})", share, low, high, f"95 % interval over {over}"),
        )
        if 0 < truth.sum() < len(truth):
            auc, ends = auc_over_units(truth, given, unit)
            shown = f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else ""
            note = f"95 % interval over {over}" if ends else "no interval: too few, or no pair ranked wrong"
            least, most = ends or (None, None)
            yield TEST, "AUC", Cell(f"{auc:.3f}{shown}", auc, least, most, note)
    for title, value in (
        ("Average precision", classifier.metrics.get("average_precision")),
        ("Brier score", classifier.metrics.get("brier")),
        ("Colour alone: accuracy", (classifier.metrics.get("colour_only") or {}).get("accuracy")),
        ("Colour alone: AUC", (classifier.metrics.get("colour_only") or {}).get("auc")),
    ):
        if value is not None:
            yield TEST, title, Cell(f"{value:.3f}", value)


def _answers(classifier: Classifier) -> tuple[Any, Any, Any] | None:
    """Labels, P(tumour) and units of the test patches that were judged; a patch of no known slide is its own unit."""
    given = classifier.test_probabilities
    patches = Patch.objects.filter(dataset=classifier.dataset_id).values_list("pk", "tumour", "group")
    rows = [(tumour, given[str(pk)], group or f"patch {pk}") for pk, tumour, group in patches if str(pk) in given]
    if not rows:
        return None
    truth, probabilities, unit = zip(*rows)
    return np.array(truth, bool), np.array(probabilities, float), np.array(unit)


CLASSIFIERS = SideBySide(
    name="classifier",
    rows=lambda request: Classifier.objects.select_related("dataset").defer("history", "split"),
    offered=lambda request: Classifier.objects.values_list("pk", "name"),
    thing=thing,
    lines=lines,
    settings=(MADE,),
    filename="classifiers.csv",
    words={
        "title": "Compare classifiers",
        "back": ("model:classifiers", "Classifiers"),
        "csv": "model:classifiers_compared_csv",
        "lead": "Each on its own test patches. Two that share theirs are compared patch by patch, with an interval of "
        "the difference, under “Compare two classifiers”.",
        "empty": "Tick two classifiers or more in the list of classifiers, or add them here.",
    },
)


@require_safe
@researcher_page
def page(request: HttpRequest) -> HttpResponse:
    """Classifiers beside each other, a column each: accuracy and AUC with intervals, and how each was made."""
    return CLASSIFIERS.page(request)


@require_safe
@researcher_page
def table(request: HttpRequest) -> HttpResponse:
    """The table of the page above."""
    return CLASSIFIERS.table(request)
