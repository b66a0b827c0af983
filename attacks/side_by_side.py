"""Attacks side by side, as a page and as CSV: on what, within what, and what came of it."""

from collections.abc import Iterator

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from attacks import selectors
from attacks.engine.norms import MEASURED
from attacks.models import Attack
from core.access import researcher_page
from core.measures import UNITS, named
from core.pages import in_words
from core.proportions import share_over_units
from core.side_by_side import Cell, Line, SideBySide, Thing

MODEL, FOUND, MADE = "Model", "What came of it", "Settings"


def thing(attack: Attack) -> Thing:
    badge = "finished" if attack.completed_at else "not finished"
    return Thing(str(attack.pk), attack.name, reverse("attacks:attack", args=[attack.pk]), badge)


def lines(attack: Attack) -> Iterator[Line]:
    model = attack.classifier
    for title, value in (
        ("Classifier", model.name), ("Network", model.arch), ("Data set", model.dataset.name),
        ("Weights", f"{model.weights_sha256[:12]}…"),
    ):  # fmt: skip
        yield MODEL, title, Cell(value, value)
    yield from _found(attack)
    norm, budget = named(attack.norm), "–" if attack.budget is None else f"{attack.budget:g}"
    for title, value in (
        ("Kind", attack.kind_in_words), ("Norm", norm), ("Budget", budget), ("Seed", str(attack.seed)),
        *((name.capitalize(), value) for name, value in in_words(attack.settings).items()),
        ("Version", attack.code_version),
    ):  # fmt: skip
        yield MADE, title, Cell(value, value)


def _found(attack: Attack) -> Iterator[Line]:
    rows = np.array(
        list(attack.perturbations.filter(already_wrong=False).values_list("flipped", "patch__group", "patch")),
        dtype=object,
    ).reshape(-1, 3)
    yield FOUND, "Attacked", Cell(str(len(rows)), len(rows), note="patches that the classifier got right")
    if len(rows):
        unit = np.array([group or f"patch {pk}" for _, group, pk in rows])
        share, (low, high) = share_over_units(rows[:, 0].astype(float), unit)
        over = "patches" if len(set(unit)) == len(unit) else "slides or patients"
        words = f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        so_far = "" if attack.completed_at else "so far; "
        yield FOUND, "Flipped", Cell(words, share, low, high, f"{so_far}95 % interval over {over}")
    summary = attack.summary
    wrong = summary.get("already_wrong")
    yield FOUND, "Wrong before", _count(wrong)
    yield FOUND, "Flipped before rounding", _count(summary.get("flipped_float"))
    norms = summary.get("norms_of_flipped") or {}
    for name in MEASURED:
        told = norms.get(name) or {}
        if told.get("median") is not None:
            words = f"{told['median']:.4g} (at most {told['max']:.4g})"
            yield FOUND, f"Median {named(name)} of flipped", Cell(words, told["median"], note=UNITS[name])
    if summary.get("seconds"):
        seconds = float(summary["seconds"])
        each = f"{1000 * seconds / len(rows):.0f} ms per attacked patch" if len(rows) else ""
        yield FOUND, "Time", Cell(f"{seconds:.1f} s", seconds, note=each)
    for name, count in (summary.get("passes") or {}).items():
        yield FOUND, f"Passes, {name}", Cell(f"{count:,}".replace(",", " "), count)


def _count(number: int | None) -> Cell:
    return Cell() if number is None else Cell(str(number), number)


ATTACKS = SideBySide(
    name="attack",
    rows=lambda request: selectors.attacks().select_related("classifier__dataset"),
    offered=lambda request: Attack.objects.filter(battery=None).values_list("pk", "name"),
    thing=thing,
    lines=lines,
    settings=(MODEL, MADE),
    filename="attacks.csv",
    words={
        "title": "Compare attacks",
        "back": ("attacks:attacks", "Attacks"),
        "csv": "attacks:side_by_side_csv",
        "lead": "Shares of different classifiers or patches say little about each other: look first at what differs.",
        "empty": "Tick two attacks or more in the list of attacks, or add them here.",
    },
)


@require_safe
@researcher_page
def page(request: HttpRequest) -> HttpResponse:
    """Attacks beside each other, a column each: model, success, norms, time, settings that differ."""
    return ATTACKS.page(request)


@require_safe
@researcher_page
def table(request: HttpRequest) -> HttpResponse:
    """The table of the page above."""
    return ATTACKS.table(request)
