"""Help for readers, and what they are reading with."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.version import VERSION
from study.models import Study
from study.reading.access import own_page
from study.reading.progress import assignments_of


def licence() -> str:
    """The name of the licence: the first line of the file LICENSE; "" where there is none."""
    file = settings.BASE_DIR / "LICENSE"
    return file.read_text(encoding="utf-8").strip().splitlines()[0].strip() if file.exists() else ""


def _contacts(user: Any) -> list[Study]:
    """The reader's studies that name somebody to ask."""
    return [assignment.study for assignment in assignments_of(user) if assignment.study.contact]


@require_safe
@never_cache
@own_page
def help_page(request: HttpRequest) -> HttpResponse:
    """How a reading goes, what to do when something goes wrong, and whom to ask."""
    return render(request, "reading/help.html", {"contacts": _contacts(request.user)})


@require_safe
@never_cache
@own_page
def about(request: HttpRequest) -> HttpResponse:
    """Version, licence, and the contact of each of the reader's studies."""
    shown = {"version": VERSION, "licence": licence(), "contacts": _contacts(request.user)}
    return render(request, "reading/about.html", shown)
