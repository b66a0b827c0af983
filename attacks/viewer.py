"""The pair viewer: an original and its altered twin side by side, blinking in one place, and their difference."""

from typing import Any

import numpy as np
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from numpy.typing import NDArray

from attacks.engine.norms import MEASURED, PERCEPTUAL
from attacks.models import Attack, Pair, PairSet, Perturbation
from attacks.selectors import gain_of
from core.access import researcher_page
from core.differences import LARGEST_GAIN, enlarged, gain_for
from core.errors import InvalidInput
from core.images import SMALL_FILE, encode_png, read_pixels
from core.measures import named


@require_safe
@researcher_page
def pair_viewer(request: HttpRequest, pk: int, row: int) -> HttpResponse:
    """An attacked patch beside its original: side by side, blinking in one place, and the enlarged difference."""
    attack = get_object_or_404(Attack.objects.select_related("classifier"), pk=pk)
    rows = attack.perturbations.exclude(image="").select_related("patch")
    found = get_object_or_404(rows, pk=row)
    patch = found.patch
    facts = [
        ("Label", "tumour" if patch.tumour else "no tumour"),
        ("Slide or patient", patch.group),
        ("P(tumour)", f"{found.prob_before:.3f} → {found.prob_after:.3f}"),
        ("Flipped", "yes" if found.flipped else "no"),
        ("Steps", found.steps),
    ]
    context = {
        "title": patch.name,
        "trail": (attack.name, reverse("attacks:attack", args=[attack.pk])),
        "original": reverse("model:patch", args=[patch.pk]),
        "altered": reverse("attacks:perturbed", args=[found.pk]),
        "difference": reverse("attacks:difference", args=[found.pk]),
        "gain": gain_of(attack),
    }
    return _page(request, found, rows, facts, "attacks:pair_viewer", attack.pk, context)


@require_safe
@researcher_page
def imported_pair(request: HttpRequest, pk: int, row: int) -> HttpResponse:
    """An imported pair, shown as an attacked patch is."""
    pairs = get_object_or_404(PairSet, pk=pk)
    found = get_object_or_404(pairs.pairs, pk=row)
    judged = found.prob_before is not None and found.prob_after is not None
    facts = [
        ("Label", "tumour" if found.label else "no tumour"),
        ("Slide or patient", found.group),
        ("Change", " ".join(filter(None, [found.attack, "" if found.budget is None else f"{found.budget:g}"]))),
        ("P(tumour)", f"{found.prob_before:.3f} → {found.prob_after:.3f}" if judged else ""),
    ]
    context = {
        "title": found.name,
        "trail": (pairs.name, reverse("attacks:pair_set", args=[pairs.pk])),
        "original": reverse("attacks:pair_image", args=[found.pk, "original"]),
        "altered": reverse("attacks:pair_image", args=[found.pk, "altered"]),
        "difference": reverse("attacks:pair_difference", args=[found.pk]),
        "gain": gain_for(found.linf),
    }
    return _page(request, found, pairs.pairs.all(), facts, "attacks:imported_pair", pairs.pk, context)


def _page(
    request: HttpRequest,
    found: Any,
    rows: QuerySet,
    facts: list[tuple[str, Any]],
    address: str,
    pk: int,
    context: dict[str, Any],
) -> HttpResponse:
    """With the neighbours in the order of the gallery: by L2, the smallest change first."""
    measures = [(named(name), getattr(found, name)) for name in (*MEASURED, *PERCEPTUAL)]
    sizes = [(said, "not measured yet" if value is None else f"{value:.4g}") for said, value in measures]
    order = list(rows.order_by("l2", "pk").values_list("pk", flat=True))
    place = order.index(found.pk)
    before, after = (order[at] if 0 <= at < len(order) else None for at in (place - 1, place + 1))
    context |= {
        "facts": [(name, value) for name, value in facts if value not in ("", None)] + sizes,
        "place": place + 1,
        "count": len(order),
        "before": before and reverse(address, args=[pk, before]),
        "after": after and reverse(address, args=[pk, after]),
        "largest_gain": LARGEST_GAIN,
    }
    return render(request, "attacks/pair_viewer.html", context)


def _gain(request: HttpRequest) -> int:
    text = request.GET.get("gain", "")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= LARGEST_GAIN):
        raise Http404(f"?gain= is a whole number from 1 to {LARGEST_GAIN}.")
    return int(text)


def _difference(request: HttpRequest, original: tuple[str, str], altered: tuple[str, str]) -> HttpResponse:
    gain = _gain(request)
    try:
        both: list[NDArray[np.uint8]] = [read_pixels(name, sha256=sha256) for name, sha256 in (original, altered)]
    except InvalidInput:
        raise Http404 from None
    png = encode_png(enlarged(both[0], both[1], gain), compress_level=SMALL_FILE)
    headers = {"Cache-Control": "private, max-age=86400"}
    return HttpResponse(png, content_type="image/png", headers=headers)


def _stored(row: Model, file: str, sha256: str) -> tuple[str, str]:
    return getattr(row, file).name, getattr(row, sha256)


@require_safe
@researcher_page
def difference(request: HttpRequest, pk: int) -> HttpResponse:
    """Perturbed less original, times ``?gain=``, around mid-grey."""
    found = get_object_or_404(Perturbation.objects.exclude(image="").select_related("patch"), pk=pk)
    return _difference(request, _stored(found.patch, "image", "sha256"), _stored(found, "image", "sha256"))


@require_safe
@researcher_page
def pair_difference(request: HttpRequest, pk: int) -> HttpResponse:
    """Altered less original of an imported pair, times ``?gain=``, around mid-grey."""
    found = get_object_or_404(Pair, pk=pk)
    return _difference(request, _stored(found, "original", "original_sha256"), _stored(found, "image", "sha256"))
