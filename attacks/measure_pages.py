"""Buttons that ask for the measures of an attack's images, or of imported pairs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from attacks.measure_requests import measure_attack, measure_pairs
from attacks.models import Attack, PairSet
from core.access import researcher_page


@require_POST
@researcher_page
def of_attack(request: HttpRequest, pk: int) -> HttpResponse:
    """The attack's page then shows the job."""
    measure_attack(attack=get_object_or_404(Attack, pk=pk), by=request.user)
    return redirect("attacks:attack", pk)


@require_POST
@researcher_page
def of_pairs(request: HttpRequest, pk: int) -> HttpResponse:
    """The pairs' page then shows the job."""
    measure_pairs(pair_set=get_object_or_404(PairSet, pk=pk), by=request.user)
    return redirect("attacks:pair_set", pk)
