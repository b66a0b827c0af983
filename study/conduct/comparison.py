"""Studies side by side, as a page and as CSV. Of a blinded study it shows what every other page shows of it."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from core import side_by_side
from core.access import researcher_page
from study import blinds as selectors
from study.results.side_by_side import FIXED, lines, thing
from study.statistics.glossary import explained

EXPLAINED = ("sensitivity (TPF)", "specificity", "d′", "confidence interval", "margin", "blind-spot index",
             "threshold of seeing")  # fmt: skip


def _asked(request: HttpRequest) -> tuple[list[side_by_side.Thing], list[side_by_side.Section], bool]:
    found, too_many = side_by_side.chosen(request, "study", selectors.studies_for(request.user), "slug")
    return [thing(one) for one in found], side_by_side.compared([lines(one) for one in found], settings=FIXED), too_many


@require_safe
@researcher_page
def page(request: HttpRequest) -> HttpResponse:
    """Studies beside each other, a column each: what was fixed, who reads, and estimates where arms are open."""
    things, sections, too_many = _asked(request)
    return side_by_side.page(
        request, name="study", things=things, sections=sections, too_many=too_many,
        others=list(selectors.studies_for(request.user).values_list("slug", "name")),
        title="Compare studies", back=(reverse("study:studies"), "Studies"), csv=reverse("study:compare_csv"),
        lead="What was fixed, who reads, and what was found. Each study answers its own planned question; no test "
        "between studies was planned, so that none stands here.",
        explained=explained(*EXPLAINED),
        empty="Tick two studies or more in the list of studies, or add them here.",
    )  # fmt: skip


@require_safe
@researcher_page
def table(request: HttpRequest) -> HttpResponse:
    """The table of the page above."""
    things, sections, _ = _asked(request)
    return side_by_side.as_csv("studies.csv", things, sections)
