"""Two classifiers side by side: the list of comparisons, one of them with its table and picture, and the form."""

from typing import Any

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from attacks.comparison_plots import plot_comparison
from attacks.comparison_requests import ComparisonRequest, compare
from attacks.comparison_table import table_of
from attacks.models import Comparison
from attacks.pages import PICTURES
from core.access import researcher_page
from core.lists import Column, listed, yes_no
from core.pages import form_methods
from core.spreadsheet import BYTE_ORDER_MARK, DIGITS, csv_of
from jobs.requests import request_page

COMPARISONS = [
    Column("Name", "name"),
    Column("First", "first__name", key="first"),
    Column("Second", "second__name", key="second"),
    Column("Data set", "first__dataset__name", key="dataset"),
    Column("Patches", number=True),
    Column("State", "completed_at", key="state"),
]


def _rows() -> Any:
    return Comparison.objects.select_related("first__dataset", "second").defer("answers")


@require_safe
@researcher_page
def comparisons(request: HttpRequest) -> HttpResponse:
    shown = listed(
        request, _rows(), columns=COMPARISONS, search=("name", "first__name", "second__name"),
        searches="name, classifier", filters=[yes_no("unfinished", "Unfinished", "completed_at__isnull")],
    )  # fmt: skip
    return render(request, "attacks/comparisons.html", {"list": shown})


@form_methods
@researcher_page
def new_comparison(request: HttpRequest) -> HttpResponse:
    return request_page(
        request,
        ComparisonRequest,
        compare,
        title="Compare two classifiers",
        back="attacks:comparisons",
        lead="On the test patches that both have in common and neither was trained on.",
        submit="Compare",
    )


@require_safe
@researcher_page
def comparison(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(_rows(), pk=pk)
    return render(request, "attacks/comparison.html", {"comparison": found, "rows": table_of(found), "tab": "overview"})


@require_safe
@researcher_page
def comparison_picture(request: HttpRequest, pk: int, suffix: str) -> HttpResponse:
    """The picture on the page above, in the format that the address ends in; a PDF is handed out as a file."""
    if suffix not in PICTURES:
        raise Http404
    found = get_object_or_404(Comparison, pk=pk, completed_at__isnull=False)
    headers = {"Content-Disposition": f'attachment; filename="comparison-{pk}.pdf"'} if suffix == "pdf" else None
    return HttpResponse(plot_comparison(found, suffix), content_type=PICTURES[suffix], headers=headers)


@require_safe
@researcher_page
def comparison_csv(request: HttpRequest, pk: int) -> HttpResponse:
    """The table on the page above."""
    found = get_object_or_404(_rows(), pk=pk, completed_at__isnull=False)
    text = BYTE_ORDER_MARK + csv_of(pd.DataFrame(table_of(found)), digits=DIGITS)
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="comparison-{found.pk}.csv"'
    return response
