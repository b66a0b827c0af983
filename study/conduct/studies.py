"""Studies: their list, one study with its log, and its protocol. The steps of its life are in ``conduct.life``."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from core.access import is_admin, researcher_page
from core.errors import NotYet
from core.lists import Column, Filter, listed
from core.pages import actor, form_methods
from study import blinds as selectors
from study.conduct.life import freezing_job
from study.conduct.log_words import in_words, words_of
from study.models import Study
from study.protocol import audit_log
from study.protocol import documents as protocols
from study.protocol.deviations import doubtful_times
from study.protocol.preregistration import as_markdown

EVENTS = 20
COLUMNS = [
    Column("Study", "name"),
    Column("State", "state"),
    Column("Task", "task"),
    Column("Cases", "case_count", number=True, key="cases"),
    Column("Readers", "reader_count", number=True, key="readers"),
    Column("Answers", css="bar"),
    Column("Results"),
    Column("Built", "created_at", key="built"),
    Column("Compare", css="pick"),
]


@require_safe
@researcher_page
def studies(request: HttpRequest) -> HttpResponse:
    shown = listed(
        request,
        selectors.counted_studies(request.user),
        columns=COLUMNS,
        search=("name", "slug"),
        filters=[Filter("state", "State", "state", Study.State.choices)],
    )
    context = {"list": shown, "studies": selectors.with_progress(shown.page), "may_build": is_admin(request.user)}
    return render(request, "study/studies.html", context)


@require_safe
@researcher_page
def study(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(selectors.studies_for(request.user).defer("protocol"), slug=slug)
    planned, answered = selectors.progress_counts(found)
    done = sorted(set(found.events.values_list("action", flat=True)))
    events = listed(
        request, found.events.order_by("-pk"), search=("actor", "detail__reader"), searches="who, or a reader’s code",
        filters=[Filter("action", "What", "action", [(one, words_of(one)) for one in done])], per_page=EVENTS,
    )  # fmt: skip
    context = {
        "study": found,
        "may_build": is_admin(request.user),
        "facts": protocols.facts(found),
        "notes": protocols.notes(found),
        "planned": planned,
        "answered": answered,
        "readers": found.assignments.filter(withdrawn_at=None).count(),
        "withdrawn": found.assignments.exclude(withdrawn_at=None).count(),
        "results_open": selectors.arms_open(found),
        "doubtful_times": doubtful_times(found),
        "list": events,
        "events": [(event, in_words(event)) for event in events.page],
        "freezing": freezing_job(found) if found.state == Study.State.DRAFT else None,
    }
    return render(request, "study/study.html", context)


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
