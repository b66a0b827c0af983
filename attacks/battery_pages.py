"""Researchers' pages of what several attacks or several classifiers have in common: batteries, and transfer."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from attacks import battery_requests, battery_selectors
from attacks.models import Transfer
from core.access import researcher_page
from core.lists import Column, listed, yes_no
from core.pages import form_methods, in_words
from jobs.requests import request_page

BATTERIES = [
    Column("Name", "name"),
    Column("Classifier", "classifier__name", key="classifier"),
    Column("Norm", "norm"),
    Column("Budget", "budget", number=True),
    Column("Accuracy", number=True),
    Column("Robust accuracy", number=True),
    Column("95 % interval", number=True),
    Column("Flags", number=True),
    Column("State", "completed_at", key="state"),
]
TRANSFERS = [
    Column("Name", "name"),
    Column("Classifiers"),
    Column("Norm", "norm"),
    Column("Budget", "budget", number=True),
    Column("Made", "created_at", key="made"),
]


@require_safe
@researcher_page
def batteries(request: HttpRequest) -> HttpResponse:
    shown = listed(
        request, battery_selectors.batteries(), columns=BATTERIES, search=("name", "classifier__name"),
        searches="name, classifier", filters=[yes_no("unfinished", "Unfinished", "completed_at__isnull")],
    )  # fmt: skip
    return render(request, "attacks/batteries.html", {"list": shown})


@form_methods
@researcher_page
def new_battery(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        battery_requests.BatteryRequest,
        battery_requests.battery,
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


@require_safe
@researcher_page
def transfers(request: HttpRequest) -> HttpResponse:
    rows = Transfer.objects.prefetch_related("classifiers")
    shown = listed(request, rows, columns=TRANSFERS, search=("name", "classifiers__name"), searches="name, classifier")
    return render(request, "attacks/transfers.html", {"list": shown})


@form_methods
@researcher_page
def new_transfer(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        battery_requests.TransferRequest,
        battery_requests.transfer,
        title="Transfer between classifiers",
        back="attacks:transfers",
        lead="Perturbations are made on each classifier and shown to each. Who cannot see a network attacks it so.",
        submit="Run",
    )


@require_safe
@researcher_page
def transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """A row per classifier that is attacked, a column per classifier that the perturbations were made on."""
    found = get_object_or_404(Transfer, pk=pk)
    columns, rows = battery_selectors.crossed(found.summary["rows"])
    return render(request, "attacks/transfer.html", {"transfer": found, "columns": columns, "rows": rows})
