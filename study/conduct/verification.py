"""The page that tells whether a study is what was fixed, answered and logged, and where its log stands."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from core.access import researcher_page
from study import blinds as selectors
from study.protocol.deviations import deviations, doubtful_times
from study.results.verified import verification_of


@require_safe
@researcher_page
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Until unblinding a problem's row is named, and not what is wrong with it: that may name an arm."""
    study = get_object_or_404(selectors.studies_for(request.user).defer("protocol"), slug=slug)
    context = {
        "study": study,
        "verification": verification_of(study),
        "results_open": selectors.arms_open(study),
        "doubtful_times": doubtful_times(study),
        "deviations": deviations(study),
    }
    return render(request, "study/verification.html", context)
