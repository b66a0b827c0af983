"""Researchers' pages of batteries: what stands against several attacks, attack by attack and in the worst case."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from attacks import battery_selectors, requests
from core.access import researcher_page
from core.pages import form_methods, in_words, paged
from jobs.requests import request_page


@require_safe
@researcher_page
def batteries(request: HttpRequest) -> HttpResponse:
    return render(request, "attacks/batteries.html", {"page": paged(request, battery_selectors.batteries())})


@form_methods
@researcher_page
def new_battery(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        requests.BatteryRequest,
        requests.battery,
        title="Battery of attacks",
        back="attacks:batteries",
        lead="Attacks of different kinds on the same test patches. What stands against all of them is robust accuracy.",
        submit="Run",
    )


@require_safe
@researcher_page
def battery(request: HttpRequest, pk: int) -> HttpResponse:
    """The flags, the table with a row per attack, the worst case over all, the figure."""
    found = get_object_or_404(battery_selectors.batteries(), pk=pk)
    context = {"battery": found, "summary": found.summary, "settings": in_words(battery_selectors.asked_for(found))}
    return render(request, "attacks/battery.html", context)


@require_safe
@researcher_page
def battery_svg(request: HttpRequest, pk: int) -> HttpResponse:
    """The picture on the page above."""
    found = get_object_or_404(battery_selectors.batteries(), pk=pk)
    if not found.completed_at:
        raise Http404("Not finished yet.")
    return HttpResponse(battery_selectors.plot_battery(found), content_type="image/svg+xml")
