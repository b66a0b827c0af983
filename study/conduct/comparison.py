"""Studies side by side, as a page and as CSV. Of a blinded study it shows what every other page shows of it."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.access import researcher_page
from core.side_by_side import SideBySide
from study import blinds as selectors
from study.results.side_by_side import FIXED, lines, thing
from study.statistics.glossary import explained

EXPLAINED = ("sensitivity (TPF)", "specificity", "d′", "confidence interval", "margin", "blind-spot index",
             "threshold of seeing")  # fmt: skip
STUDIES = SideBySide(
    name="study",
    key="slug",
    rows=lambda request: selectors.studies_for(request.user),
    offered=lambda request: selectors.studies_for(request.user).values_list("slug", "name"),
    thing=thing,
    lines=lines,
    settings=FIXED,
    filename="studies.csv",
    words={
        "title": "Compare studies",
        "back": ("study:studies", "Studies"),
        "csv": "study:compare_csv",
        "lead": "What was fixed, who reads, and what was found. Each study answers its own planned question; no test "
        "between studies was planned, so that none stands here.",
        "explained": explained(*EXPLAINED),
        "empty": "Tick two studies or more in the list of studies, or add them here.",
    },
)


@require_safe
@researcher_page
def page(request: HttpRequest) -> HttpResponse:
    """Studies beside each other, a column each: what was fixed, who reads, and estimates where arms are open."""
    return STUDIES.page(request)


@require_safe
@researcher_page
def table(request: HttpRequest) -> HttpResponse:
    """The table of the page above."""
    return STUDIES.table(request)
