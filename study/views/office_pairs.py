"""Pairs that another program made, and the token by which programs speak for a person."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.authtoken.models import Token

from attacks.models import Pair, PairSet
from study import orders
from study.study_forms import PairsForm
from study.views.office_common import paged, researcher_page
from study.views.office_data import image_response
from study.views.office_models import order_page


@require_safe
@researcher_page
def pair_sets(request: HttpRequest) -> HttpResponse:
    return render(request, "office/pair_sets.html", {"pair_sets": PairSet.objects.select_related("classifier")})


@require_http_methods(["GET", "HEAD", "POST"])
@researcher_page
def new_pairs(request: HttpRequest) -> HttpResponse:
    return order_page(
        request,
        PairsForm,
        orders.import_pairs,
        title="Import pairs",
        back="office:pairs",
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
    return render(request, "office/pair_set.html", context)


@require_safe
@researcher_page
def pair_image(request: HttpRequest, pk: int, which: str) -> HttpResponse:
    if which not in ("original", "altered"):
        raise Http404
    pair = get_object_or_404(Pair, pk=pk)
    if which == "original":
        return image_response(pair.original.name, pair.original_sha256)
    return image_response(pair.image.name, pair.sha256)


@require_http_methods(["GET", "HEAD", "POST"])
@researcher_page
def token(request: HttpRequest) -> HttpResponse:
    """One token per person; a new one ends the one before. It is shown when it is made."""
    made = None
    if request.method == "POST":
        Token.objects.filter(user=request.user).delete()
        if request.POST.get("what") == "new":
            made = Token.objects.create(user=request.user)
        else:
            messages.success(request, "The token was taken back.")
            return redirect("office:token")
    context = {"made": made, "has_one": Token.objects.filter(user=request.user).exists()}
    return render(request, "office/token.html", context)
