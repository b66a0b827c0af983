"""What is stored about a reader, for that reader."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from study.models import Assignment
from study.protocol.retention import person_of, stored_about
from study.reading.access import own_page


@require_safe
@never_cache
@own_page
def stored(request: HttpRequest) -> HttpResponse:
    """What is stored about you: your account, and in each study your code, answers, times and browsers."""
    own = Assignment.objects.filter(reader=request.user.pk).select_related("study").order_by("pk")
    rows = [{"name": assignment.study.name} | stored_about(assignment) for assignment in own]
    return render(request, "reading/stored.html", {"person": person_of(request.user), "rows": rows})
