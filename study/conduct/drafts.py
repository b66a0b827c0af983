"""Drafts: building one, building it again from other settings, deleting it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from attacks.models import Attack, PairSet
from core.access import admin_page
from core.errors import InvalidInput
from core.filled import initial_of
from core.pages import actor, form_methods, show_error
from core.requests import Request, fields_of, form_class
from jobs.requests import initial_of_job
from study.conduct.life import step_page
from study.conduct.power import power_shown
from study.models import Study
from study.protocol import requests
from study.protocol.drafts import delete_draft
from study.protocol.requests import PowerQuery, StudyRequest
from study.protocol.settings import SettingsRequest

PAPER = {"positives": 20, "negatives": 0, "copies": 2, "arm_order": Study.ArmOrder.PAPER, "stratify": "random",
         "washout_hours": 336, "floor_d_prime": None}  # fmt: skip
"""The paper's design: 20 positives, both arms of each in either of two sets, two weeks apart."""


@form_methods
@admin_page
def new_study(request: HttpRequest) -> HttpResponse:
    """The builder. ``?clone=`` fills it in like another study, ``?attack=`` with an attack, ``?job=`` like a job,
    ``?design=paper`` as in the paper."""
    return _builder(request, _initial(request))


@form_methods
@admin_page
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """The builder with what the draft was built with; the draft is then built again."""
    draft = get_object_or_404(Study.objects.defer("protocol"), slug=slug)
    if draft.state != Study.State.DRAFT:
        messages.error(request, f"“{draft}” is {draft.get_state_display()}: nothing of it can be changed any more.")
        return redirect("study:study", slug=slug)
    readers = list(draft.assignments.values_list("reader", flat=True))
    initial = cloned(draft) | {"name": draft.name, "seed": draft.seed, "readers": readers}
    return _builder(request, initial | initial_of_job(request, StudyRequest), draft)


def _builder(request: HttpRequest, initial: dict[str, Any], draft: Study | None = None) -> HttpResponse:
    builder = form_class(StudyRequest, planned_readers=fields_of(PowerQuery)["planned_readers"])
    form = builder(request.POST) if request.method == "POST" else builder(initial=initial)
    if form.is_bound and form.is_valid():
        try:
            return redirect("jobs:job", pk=requests.study(by=request.user, draft=draft, **form.cleaned_data).pk)
        except InvalidInput as error:
            show_error(form, error)
    power = power_shown({name: form[name].value() for name in fields_of(PowerQuery)})
    one, whole = power.get("one_reading") or {}, power.get("crossed") or {}
    power |= {"lower": any(whole.get(claim, 1.0) < value for claim, value in one.items())}
    query = request.GET.copy()
    query["design"] = "paper"
    context = {"form": form, "power": power, "paper_address": f"?{query.urlencode()}", "draft": draft}
    return render(request, "study/study_new.html", context, status=400 if form.errors else 200)


def _initial(request: HttpRequest) -> dict[str, Any]:
    if slug := request.GET.get("clone"):
        return cloned(get_object_or_404(Study.objects.defer("protocol"), slug=slug))
    chosen = initial_of_job(request, StudyRequest)
    chosen |= {key: request.GET[key] for key in ("attack", "pairs") if key in request.GET}
    return chosen | (PAPER if request.GET.get("design") == "paper" else {})


@form_methods
@admin_page
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """What deleting a draft takes away; and deleting it."""
    draft = get_object_or_404(Study.objects.defer("protocol"), slug=slug)
    if draft.state != Study.State.DRAFT:
        messages.error(request, f"“{draft}” is {draft.get_state_display()}: only a draft can be deleted.")
        return redirect("study:study", slug=slug)

    def do() -> HttpResponse:
        delete_draft(study=draft, actor=actor(request))
        messages.success(request, f"The draft “{draft.name}” was deleted.")
        return redirect("study:studies")

    return step_page(request, draft, "study/delete.html", Request, do, readers=draft.assignments.count())


def cloned(study: Study) -> dict[str, Any]:
    """The builder's initial values for a study like this one."""
    source = study.source or {}
    chosen = source.get("settings") or {}
    attack, further = source.get("attack") or {}, source.get("further_attacks", [])
    values = initial_of(SettingsRequest, chosen)
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
