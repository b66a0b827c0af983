"""Pairs that another program made, and the token by which programs speak for a person."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from attacks import requests
from attacks.models import Pair, PairSet
from core.access import researcher_page
from core.pages import form_methods, image_response, paged
from jobs.requests import request_page


@require_safe
@researcher_page
def pair_sets(request: HttpRequest) -> HttpResponse:
    return render(request, "attacks/pair_sets.html", {"pair_sets": PairSet.objects.select_related("classifier")})


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
        "page": paged(request, found.pairs.all()),
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
