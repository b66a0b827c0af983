"""The steps of a study's life, each with what it does: freezing, opening, closing, unblinding, changing its team."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from core.access import admin_page
from core.errors import InvalidInput
from core.pages import actor, form_methods, show_error
from core.passwords import demand_password
from core.requests import Request, form_class
from jobs.models import Job
from study.models import Study
from study.protocol import documents as protocols
from study.protocol import life as services
from study.protocol import requests
from study.protocol.requests import CloseRequest, FreezeRequest, TeamRequest, UnblindRequest


def step_page(
    request: HttpRequest,
    study: Study,
    template: str,
    declared: type[Request],
    do: Callable[..., HttpResponse],
    *,
    initial: dict[str, Any] | None = None,
    **context: Any,
) -> HttpResponse:
    """What a step does, and the form that confirms it; ``do(**asked)`` does it and answers.

    Where the form asks for the password, it must be that of who is signed in.
    """
    posted = request.method == "POST"
    form = form_class(declared)(request.POST if posted else None, initial=initial)
    if posted and form.is_valid():
        try:
            asked = dict(form.cleaned_data)
            if "password" in asked:
                demand_password(request, asked.pop("password"))
            return do(**asked)
        except InvalidInput as error:
            show_error(form, error)
    return render(request, template, {"study": study, "form": form} | context, status=400 if form.errors else 200)


def _study(slug: str, *, whole: bool = False) -> Study:
    return get_object_or_404(Study.objects.all() if whole else Study.objects.defer("protocol"), slug=slug)


@form_methods
@admin_page
@sensitive_post_parameters("password")
def freeze(request: HttpRequest, slug: str) -> HttpResponse:
    """What freezing will fix; with the password, a worker checks every image and fixes the protocol."""
    found = _study(slug)
    if found.state != Study.State.DRAFT:
        return redirect("study:study", slug=slug)

    def do() -> HttpResponse:
        job = requests.freeze(study=found, by=request.user, actor=actor(request))
        return redirect("jobs:job", pk=job.pk)

    context: dict[str, Any] = {
        "facts": protocols.facts(found),
        "notes": protocols.notes(found),
        "readers": found.assignments.count(),
        "freezing": freezing_job(found),
    }
    return step_page(request, found, "study/freeze.html", FreezeRequest, do, **context)


def freezing_job(study: Study) -> Job | None:
    """The job that is freezing this study."""
    return Job.objects.filter(kind="freeze_study", state__in=Job.ACTIVE, arguments__study=study.slug).first()


@require_POST
@admin_page
def open_to_readers(request: HttpRequest, slug: str) -> HttpResponse:
    """Let readers begin."""
    try:
        services.open_study(study=_study(slug, whole=True), actor=actor(request))
        messages.success(request, "The study is open: its readers may begin.")
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect("study:study", slug=slug)


@form_methods
@admin_page
def close(request: HttpRequest, slug: str) -> HttpResponse:
    """Who is unfinished; and the end of the reading."""
    found = _study(slug, whole=True)
    if found.state != Study.State.OPEN:
        return redirect("study:study", slug=slug)

    def do(*, unfinished: bool) -> HttpResponse:
        services.close_study(study=found, actor=actor(request), unfinished=unfinished)
        messages.success(request, "The study is closed: no answer is taken any more.")
        return redirect("study:study", slug=slug)

    context: dict[str, Any] = {"unfinished": services.unfinished(found)}
    return step_page(request, found, "study/close.html", CloseRequest, do, **context)


@form_methods
@admin_page
@sensitive_post_parameters("password")
def unblind(request: HttpRequest, slug: str) -> HttpResponse:
    """One-way, so the short name must be typed, and the password again."""
    found = _study(slug, whole=True)
    if found.state != Study.State.CLOSED:
        return redirect("study:study", slug=slug)

    def do(*, confirm: str) -> HttpResponse:
        if confirm != found.slug:
            raise InvalidInput(f"Nothing was unblinded: type “{found.slug}” to confirm.", field="confirm")
        services.unblind_study(study=found, actor=actor(request))
        return redirect("results:results", slug=slug)

    return step_page(request, found, "study/unblind.html", UnblindRequest, do)


@form_methods
@admin_page
def team(request: HttpRequest, slug: str) -> HttpResponse:
    """To whom the study belongs: its team's researchers see it."""
    found = get_object_or_404(Study.objects.select_related("team"), slug=slug)

    def do(*, team: Any) -> HttpResponse:
        services.change_team(study=found, team=team, actor=actor(request))
        seen = f"the researchers of “{team}”" if team else "every researcher"
        messages.success(request, f"The study is seen by {seen} and by all admins.")
        return redirect("study:study", slug=slug)

    return step_page(request, found, "study/team.html", TeamRequest, do, initial={"team": found.team_id})
