"""Help for each role, the glossary of statistical words, and what is running here."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from core.access import is_admin, is_reader, researcher_page
from core.version import code_version
from study.blinds import studies_for
from study.reading.about import licence
from study.statistics.glossary import GLOSSARY


@require_safe
@login_required
def help_page(request: HttpRequest) -> HttpResponseBase:
    """What researchers and admins do here, step by step; readers go on to theirs."""
    return redirect("reading:help") if is_reader(request.user) else _help(request)


@researcher_page
def _help(request: HttpRequest) -> HttpResponse:
    return render(request, "study/help.html", {"admin": is_admin(request.user)})


@require_safe
@researcher_page
def glossary(request: HttpRequest) -> HttpResponse:
    """Every statistical word of these pages, with one line each."""
    return render(request, "study/glossary.html", {"words": sorted(GLOSSARY.items(), key=lambda row: row[0].lower())})


@require_safe
@login_required
def about(request: HttpRequest) -> HttpResponseBase:
    """Version, licence, and the contact of each study that one sees; readers go on to theirs."""
    return redirect("reading:about") if is_reader(request.user) else _about(request)


@researcher_page
def _about(request: HttpRequest) -> HttpResponse:
    contacts = [study for study in studies_for(request.user) if study.contact]
    shown = {"version": code_version(), "licence": licence(), "contacts": contacts}
    return render(request, "study/about.html", shown)
