"""Pairs that another program made, and the token by which programs speak for a person."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from attacks import requests
from attacks.engine.norms import MEASURED, PERCEPTUAL
from attacks.measure_requests import measures_of_pairs
from attacks.models import Pair, PairSet
from core.access import researcher_page
from core.lists import Column, Filter, listed, yes_no
from core.measures import named
from core.pages import form_methods, image_response
from jobs.requests import request_page

PAIRS_PER_PAGE = 24
PAIR_SETS = [
    Column("Name", "name"),
    Column("Size", "width", number=True, key="size"),
    Column("Kinds of change"),
    Column("Classifier", "classifier__name", key="classifier"),
    Column("Imported", "created_at", key="imported"),
]
PAIRS = [
    Column("Patch", "name", key="patch"),
    Column("P before", "prob_before"),
    Column("P after", "prob_after"),
    *(Column(named(measure), measure) for measure in (*MEASURED, *PERCEPTUAL)),
]


@require_safe
@researcher_page
def pair_sets(request: HttpRequest) -> HttpResponse:
    shown = listed(
        request, PairSet.objects.select_related("classifier"), columns=PAIR_SETS, search=("name", "classifier__name"),
        searches="name, classifier",
    )  # fmt: skip
    return render(request, "attacks/pair_sets.html", {"list": shown})


@form_methods
@researcher_page
def new_pairs(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        requests.PairsRequest,
        requests.import_pairs,
        title="Import pairs",
        back="attacks:pairs",
        lead="Originals and altered images of any other program: same size, 8-bit RGB, different pixels.",
        submit="Import",
    )


@require_safe
@researcher_page
def pair_set(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(PairSet.objects.select_related("classifier"), pk=pk)
    context = {
        "pair_set": found,
        "list": listed(
            request,
            found.pairs.all(),
            columns=PAIRS,
            search=("name", "group"),
            searches="patch, slide or patient",
            filters=[
                Filter("variant", "Change", "variant", [(name, name) for name in found.variants if name]),
                yes_no("truth", "Label", "label", yes="tumour", no="no tumour"),
            ],
            per_page=PAIRS_PER_PAGE,
        ),
        "measures": measures_of_pairs(found),
        "variants": [variant or "unnamed" for variant in found.variants],
    }
    return render(request, "attacks/pair_set.html", context)


@require_safe
@researcher_page
def pair_image(request: HttpRequest, pk: int, which: str) -> HttpResponse:
    if which not in ("original", "altered"):
        raise Http404
    pair = get_object_or_404(Pair, pk=pk)
    if which == "original":
        return image_response(pair.original.name, pair.original_sha256)
    return image_response(pair.image.name, pair.sha256)
