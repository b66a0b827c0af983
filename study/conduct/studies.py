"""Studies, for who runs them: building, looking, freezing, opening, closing, unblinding, cloning, the protocol."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from attacks.models import Attack, PairSet
from core.access import admin_page, is_admin, researcher_page
from core.errors import InvalidInput, NotYet
from core.pages import actor, form_methods, show_error
from core.passwords import confirmed
from core.requests import fields_of, form_class
from study import blinds as selectors
from study.conduct.log_words import in_words
from study.conduct.power import power_shown
from study.models import Study
from study.protocol import audit_log, requests
from study.protocol import documents as protocols
from study.protocol import life as services
from study.protocol.deviations import doubtful_times
from study.protocol.preregistration import as_markdown
from study.protocol.requests import FreezeRequest, PowerQuery, StudyRequest, UnblindRequest
from study.protocol.settings import SettingsRequest

STEPS: dict[str, Callable[..., Study]] = {
    "open": services.open_study,
    "close": services.close_study,
}

PAPER = {"positives": 20, "negatives": 0, "copies": 2, "arm_order": Study.ArmOrder.PAPER, "stratify": "random",
         "washout_hours": 336, "floor_d_prime": None}  # fmt: skip
"""The paper's design: 20 positives, both arms of each in either of two sets, two weeks apart."""


@require_safe
@researcher_page
def studies(request: HttpRequest) -> HttpResponse:
    context = {"studies": selectors.studies_with_progress(request.user), "may_build": is_admin(request.user)}
    return render(request, "study/studies.html", context)


@form_methods
@admin_page
def new_study(request: HttpRequest) -> HttpResponse:
    """The builder. ``?clone=`` fills it in like another study, ``?attack=`` with an attack, ``?design=paper`` as in the
    paper."""
    builder = form_class(StudyRequest, planned_readers=fields_of(PowerQuery)["planned_readers"])
    if request.method == "POST":
        form = builder(request.POST)
        if form.is_valid():
            try:
                return redirect("jobs:job", pk=requests.study(by=request.user, **form.cleaned_data).pk)
            except InvalidInput as error:
                show_error(form, error)
    else:
        form = builder(initial=_initial(request))
    power = power_shown({name: form[name].value() for name in fields_of(PowerQuery)})
    query = request.GET.copy()
    query["design"] = "paper"
    context = {"form": form, "power": power, "paper_address": f"?{query.urlencode()}"}
    return render(request, "study/study_new.html", context, status=400 if form.errors else 200)


def _initial(request: HttpRequest) -> dict[str, Any]:
    if slug := request.GET.get("clone"):
        return cloned(get_object_or_404(Study.objects.defer("protocol"), slug=slug))
    chosen: dict[str, Any] = {key: request.GET[key] for key in ("attack", "pairs") if key in request.GET}
    return chosen | (PAPER if request.GET.get("design") == "paper" else {})


def cloned(study: Study) -> dict[str, Any]:
    """The builder's initial values for a study like this one."""
    source = study.source or {}
    chosen = source.get("settings") or {}
    attack, further = source.get("attack") or {}, source.get("further_attacks", [])
    values = {name: chosen[name] for name in fields_of(SettingsRequest) if name in chosen}
    values |= {"team": study.team_id, "name": f"{study.name} copy"[:200]}  # no seed: it is drawn anew
    if attack.get("kind") == "pairs":
        pairs = PairSet.objects.filter(name=attack["name"]).first()
        return values | {"pairs": pairs and pairs.pk, "variants": "\n".join(attack["summary"].get("variants", []))}
    keys = dict(Attack.objects.values_list("name", "pk"))
    return values | {
        "attack": keys.get(attack.get("name", "")),
        "further_attacks": [keys[row["name"]] for row in further if row["name"] in keys],
    }


@require_safe
@admin_page
def power(request: HttpRequest) -> JsonResponse:
    """The power of what is chosen in the builder, while it is being chosen."""
    return JsonResponse(power_shown(request.GET))


@require_safe
@researcher_page
def study(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(selectors.studies_for(request.user).defer("protocol"), slug=slug)
    planned, answered = selectors.progress_counts(found)
    context = {
        "study": found,
        "may_build": is_admin(request.user),
        "facts": protocols.facts(found),
        "notes": protocols.notes(found),
        "planned": planned,
        "answered": answered,
        "readers": selectors.assignments_of(found).count(),
        "results_open": selectors.arms_open(found),
        "doubtful_times": doubtful_times(found),
        "events": [(event, in_words(event)) for event in found.events.order_by("-pk")[:20]],
        "freeze_form": form_class(FreezeRequest)(),
        "unblind_form": form_class(UnblindRequest)(),
    }
    return render(request, "study/study.html", context)


@require_POST
@admin_page
def step(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """One step of a study's life."""
    found = get_object_or_404(selectors.studies_for(request.user), slug=slug)
    move = STEPS.get(name)
    if move is None:
        return HttpResponse(status=404)
    try:
        move(study=found, actor=actor(request))
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect("study:study", slug=slug)


@require_POST
@admin_page
def freeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask a worker to check every image and fix the protocol. Asks for the password again."""
    try:
        confirmed(request, FreezeRequest)
        found = get_object_or_404(Study, slug=slug)
        job = requests.freeze(study=found, by=request.user, actor=actor(request))
    except InvalidInput as error:
        messages.error(request, str(error))
        return redirect("study:study", slug=slug)
    return redirect("jobs:job", pk=job.pk)


@require_POST
@admin_page
def unblind(request: HttpRequest, slug: str) -> HttpResponse:
    """One-way, so the short name must be typed, and the password again."""
    found = get_object_or_404(Study, slug=slug)
    try:
        if confirmed(request, UnblindRequest)["confirm"] != found.slug:
            raise InvalidInput(f"Nothing was unblinded: type “{found.slug}” to confirm.")
        services.unblind_study(study=found, actor=actor(request))
    except InvalidInput as error:
        messages.error(request, str(error))
        return redirect("study:study", slug=slug)
    return redirect("results:results", slug=slug)


@require_safe
@researcher_page
def protocol(request: HttpRequest, slug: str) -> HttpResponse:
    """The frozen protocol as a page to be printed: everything but which image is which."""
    found = get_object_or_404(selectors.studies_for(request.user), slug=slug)
    context = {
        "study": found,
        "facts": protocols.facts(found),
        "notes": protocols.notes(found),
        "schedules": protocols.schedule_hashes(found),
        "sealed": not selectors.arms_open(found),
        "may_build": is_admin(request.user),
    }
    return render(request, "study/protocol.html", context)


@form_methods
@researcher_page
def protocol_json(request: HttpRequest, slug: str) -> HttpResponse:
    """The canonical JSON whose SHA-256 was fixed. It names arms: until unblinding an admin asks by POST, logged."""
    found = get_object_or_404(selectors.studies_for(request.user), slug=slug)
    if not found.protocol_sha256:
        return JsonResponse({"error": "the study is not frozen"}, status=409)
    if not selectors.arms_open(found):
        if request.method != "POST" or not is_admin(request.user):
            return JsonResponse(protocols.sealed(found))
        audit_log.record(study=found, actor=actor(request), action="protocol_taken_out")
    text = audit_log.canonical_json(found.protocol)
    headers = {"Content-Disposition": f'attachment; filename="{found.slug}-protocol.json"'}
    return HttpResponse(text, content_type="application/json", headers=headers)


@require_safe
@researcher_page
def protocol_text(request: HttpRequest, slug: str) -> HttpResponse:
    """The frozen protocol as one file for a registry, without arms, orders and seeds."""
    try:
        text = as_markdown(get_object_or_404(selectors.studies_for(request.user), slug=slug))
    except NotYet as error:
        return HttpResponse(str(error), status=409, content_type="text/plain; charset=utf-8")
    headers = {"Content-Disposition": f'attachment; filename="{slug}-protocol.md"'}
    return HttpResponse(text, content_type="text/markdown; charset=utf-8", headers=headers)
