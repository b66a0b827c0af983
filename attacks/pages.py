"""Researchers' pages: attacks with their flipped patches, their tables and curves, and success against budget."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from attacks import requests, selectors
from attacks.comparison import MOST, compared, plot_compared, searched_classifiers
from attacks.engine.curves import AXES, plot, success_curve
from attacks.engine.norms import MEASURED, PERCEPTUAL
from attacks.measure_requests import measures_of_attack
from attacks.models import Attack, Perturbation
from attacks.selectors import curves_of, flip_norms, latest_minimal, perturbation_table
from attacks.worst_plots import plot_worst
from core.access import researcher_page
from core.lists import Column, Filter, listed, yes_no
from core.measures import named
from core.pages import form_methods, image_response, in_words
from core.spreadsheet import csv_of
from jobs.models import Job
from jobs.requests import request_page
from model.models import Classifier

TABS = {
    "pgd": "Within a budget",
    "minimal": "Smallest that flips",
    "universal": "One for all patches",
    "natural": "Natural changes",
    "worst": "Natural changes at their worst",
}
LEADS = {
    "pgd": "Its test patches are changed within a budget until the answer to the displayed 8-bit image is wrong.",
    "minimal": "The smallest change of each test patch is searched that makes the answer to the displayed image wrong.",
    "universal": "One change is learned on the training positives and judged on the positives of the test.",
    "natural": "What blur, JPEG and stain do to the answers, measured like an attack. It gives a table and no images.",
    "worst": "Stain, tone, focus, place and the like within the bounds by which slides differ: at worst and at random.",
}

STATES = [("finished", "finished"), ("unfinished", "not finished")]
ATTACKS = [
    Column("Name", "name"),
    Column("Classifier", "classifier__name", key="classifier"),
    Column("Kind", "kind"),
    Column("Norm", "norm"),
    Column("Budget", "budget", number=True),
    Column("Attacked", "summary__attacked", number=True, key="attacked"),
    Column("Flipped", "summary__flipped", number=True, key="flipped"),
    Column("State", "completed_at", key="state"),
    Column("Compare", css="pick"),
]
PATCHES = [
    Column("Patch", "patch__name", key="patch"),
    Column("Tumour", "patch__tumour", key="tumour"),
    Column("Flipped", "flipped"),
    Column("P before", "prob_before", number=True),
    Column("P after", "prob_after", number=True),
    Column("Steps", "steps", number=True),
    *(Column(named(measure), measure, number=True) for measure in (*MEASURED, *PERCEPTUAL)),
]
"""Columns of the table of an attack's perturbations; the gallery is sorted by them, too."""
PAIRS_PER_PAGE = 24
TUMOUR = yes_no("truth", "Label", "patch__tumour", yes="tumour", no="no tumour")
SEARCH: dict[str, Any] = {"search": ("patch__name", "patch__group"), "searches": "patch, slide or patient"}


@require_safe
@researcher_page
def perturbations(request: HttpRequest, pk: int) -> HttpResponse:
    """Counts, the curve of success against the norm reached, and the table, sorted by any column."""
    attack = get_object_or_404(Attack.objects.select_related("classifier"), pk=pk)
    rows = attack.perturbations.select_related("patch").order_by("patch__index")
    verdict = yes_no("verdict", "Flipped", "flipped")
    context = {
        "attack": attack,
        "tab": "patches",
        "measures": measures_of_attack(attack),
        "summary": attack.summary,
        "list": listed(request, rows, columns=PATCHES, filters=[verdict, TUMOUR], **SEARCH),
        "has_curve": rows.exists() and attack.norm in MEASURED,
    }
    return render(request, "attacks/perturbations.html", context)


@require_safe
@researcher_page
def table_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """Every perturbation of the attack."""
    attack = get_object_or_404(Attack, pk=pk)
    return _csv(perturbation_table(attack), f"attack-{attack.pk}.csv")


@require_safe
@researcher_page
def curve_picture(request: HttpRequest, pk: int, suffix: str) -> HttpResponse:
    """Share flipped by at most so much: a minimal attack's success curve, or what another attack made do with."""
    attack = get_object_or_404(Attack, pk=pk)
    if attack.norm not in MEASURED or not attack.perturbations.exists():
        raise Http404("This attack has no curve.")
    search = attack.settings.get("search", attack.norm)
    return _picture(
        suffix, f"curve-{attack.pk}", plot, success_curve(flip_norms(attack), search=search), pd.DataFrame()
    )


@require_safe
@researcher_page
def worst_picture(request: HttpRequest, pk: int, suffix: str) -> HttpResponse:
    """What each natural change flips, at its worst and at random."""
    attack = get_object_or_404(Attack, pk=pk, kind=Attack.Kind.WORST)
    if "worst" not in attack.summary:
        raise Http404("This attack is not finished, or was drawn at random.")
    return _picture(
        suffix, f"worst-{attack.pk}", partial(plot_worst, title=attack.classifier.name), attack.summary["worst"]
    )


@require_safe
@researcher_page
def curves_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Fig. 4 of a classifier: success against budget for every norm that has been searched."""
    classifier = get_object_or_404(Classifier, pk=pk)
    rows = _searches(classifier)
    searched = {row["search"] for row in rows}
    missing = [name for name in AXES if name not in searched]
    active = Job.objects.filter(kind="success_curves", state__in=Job.ACTIVE, arguments__classifier=classifier.name)
    context = {"classifier": classifier, "tab": "curves", "rows": rows, "missing": missing, "job": active.first()}
    return render(request, "attacks/curves.html", context)


def _searches(classifier: Classifier) -> list[dict[str, Any]]:
    """One row per norm that was searched: the attack, its counts, the median of the smallest perturbations."""
    searched = latest_minimal(classifier)
    return [
        {
            "classifier": classifier,
            "search": name,
            "axis": AXES[name],
            "attack": searched[name],
            "summary": searched[name].summary,
            "median": searched[name].summary["norms_of_flipped"][searched[name].norm]["median"],
        }
        for name in AXES
        if name in searched
    ]


@require_safe
@researcher_page
def curves_picture(request: HttpRequest, pk: int, suffix: str) -> HttpResponse:
    """The picture on the page above."""
    classifier = get_object_or_404(Classifier, pk=pk)
    curves = curves_of(classifier)
    if not len(curves):
        raise Http404("No curve yet.")
    return _picture(suffix, f"curves-{classifier.pk}", plot, curves, pd.DataFrame())


@require_safe
@researcher_page
def curves_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """The numbers on the page above, with their 95 % bands."""
    classifier = get_object_or_404(Classifier, pk=pk)
    return _csv(curves_of(classifier), f"curves-{classifier.pk}.csv")


def _chosen(request: HttpRequest) -> tuple[list[Classifier], list[Classifier]]:
    """All that can be compared, and those that ``?classifier=1&classifier=2`` names among them, at most ``MOST``."""
    candidates = searched_classifiers()
    asked = {value for value in request.GET.getlist("classifier") if value.isdecimal()}
    return candidates, [one for one in candidates if str(one.pk) in asked]


@require_safe
@researcher_page
def compare_page(request: HttpRequest) -> HttpResponse:
    """Success curves of several classifiers on one plot."""
    candidates, chosen = _chosen(request)
    context = {
        "choices": [(one, one in chosen) for one in candidates],
        "rows": [row for one in chosen[:MOST] for row in _searches(one)],
        "query": urlencode([("classifier", one.pk) for one in chosen]),
        "most": MOST,
        "too_many": len(chosen) > MOST,
    }
    return render(request, "attacks/compare.html", context)


def _compared(request: HttpRequest) -> pd.DataFrame:
    curves = compared(_chosen(request)[1][:MOST])
    if not len(curves):
        raise Http404("Nothing to compare.")
    return curves


@require_safe
@researcher_page
def compare_picture(request: HttpRequest, suffix: str) -> HttpResponse:
    """The picture on the page above."""
    return _picture(suffix, "curves", plot_compared, _compared(request))


@require_safe
@researcher_page
def compare_csv(request: HttpRequest) -> HttpResponse:
    """The numbers on the page above, with their 95 % bands."""
    return _csv(_compared(request), "curves.csv")


def _csv(table: pd.DataFrame, name: str) -> HttpResponse:
    response = HttpResponse(csv_of(table), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


PICTURES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}


def _picture(suffix: str, name: str, draw: Callable[..., bytes], *data: Any) -> HttpResponse:
    """Drawn in the format that the address ends in; a PDF is handed out as a file."""
    if suffix not in PICTURES:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"'} if suffix == "pdf" else None
    return HttpResponse(draw(*data, kind=suffix), content_type=PICTURES[suffix], headers=headers)


@require_safe
@researcher_page
def attacks(request: HttpRequest) -> HttpResponse:
    rows = selectors.attacks().filter(battery=None)  # those of a battery stand on its page
    shown = listed(
        request, rows, columns=ATTACKS, search=("name", "classifier__name"), searches="name, classifier",
        filters=[
            Filter("kind", "Kind", "kind", Attack.Kind.choices),
            Filter("norm", "Norm", "norm", [(norm, named(norm)) for norm in ("none", *MEASURED)]),
            Filter("state", "State", "completed_at__isnull", STATES, {"finished": False, "unfinished": True}),
        ],
    )  # fmt: skip
    return render(request, "attacks/attacks.html", {"list": shown})


@form_methods
@researcher_page
def new_attack(request: HttpRequest) -> HttpResponse:
    """The form of one kind of attack; ``?kind=`` says which."""
    kind = request.POST.get("kind") or request.GET.get("kind", "pgd")
    if kind not in requests.ATTACKS:
        raise Http404
    return request_page(
        request,
        requests.ATTACKS[kind][1],
        requests.attack,
        title="Attack a classifier",
        back="attacks:attacks",
        lead=LEADS[kind],
        submit="Attack",
        kinds=_kinds(request, kind),
    )


def _kinds(request: HttpRequest, chosen: str) -> list[dict[str, Any]]:
    """The kinds of attack with a link to the form of each; what the address fills in stays filled in."""
    rest = {name: value for name, value in request.GET.items() if name != "kind"}
    return [
        {"title": title, "chosen": kind == chosen, "query": urlencode({"kind": kind} | rest)}
        for kind, title in TABS.items()
    ]


@form_methods
@researcher_page
def request_curves(request: HttpRequest, pk: int) -> HttpResponse:
    """Fig. 4 of a classifier, as a job."""
    classifier = get_object_or_404(Classifier, pk=pk)
    return request_page(
        request,
        requests.CurvesRequest,
        partial(requests.success_curves, classifier=classifier),
        title=f"Success curves of {classifier}",
        back="model:classifiers",
        lead="The smallest perturbation of every test patch is searched for each norm. What was searched is kept.",
        submit="Search",
    )


@require_safe
@researcher_page
def overview(request: HttpRequest, pk: int) -> HttpResponse:
    """What came of an attack, and a gallery of the flipped patches with their norms."""
    attack = get_object_or_404(selectors.attacks(), pk=pk)
    flipped = attack.perturbations.filter(flipped=True).select_related("patch").order_by("l2", "pk")
    context = {
        "attack": attack,
        "tab": "overview",
        "measures": measures_of_attack(attack),
        "list": listed(request, flipped, columns=PATCHES, filters=[TUMOUR], per_page=PAIRS_PER_PAGE, **SEARCH),
        "settings": in_words(attack.settings),
    }
    return render(request, "attacks/attack.html", context)


@require_safe
@researcher_page
def perturbed_image(request: HttpRequest, pk: int) -> HttpResponse:
    perturbation = get_object_or_404(Perturbation.objects.exclude(image=""), pk=pk)
    return image_response(perturbation.image.name, perturbation.sha256)
