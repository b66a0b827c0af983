"""Readers of a study: invite, watch without arms, remind, withdraw, reopen a set."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from core.access import admin_page
from core.errors import InvalidInput
from core.lists import Filter, Shown, listed
from core.pages import actor, form_methods, show_error
from core.requests import form_class
from study.conduct.invitations import invite_one, invite_table
from study.conduct.reminders import reminder, subject_of
from study.models import Assignment, ReadingSet, Study
from study.protocol import readers
from study.protocol.requests import InviteRequest, InviteTableRequest, ReopenRequest, WashoutRequest, WithdrawRequest
from study.reading import progress as reading_selectors
from study.reading import sets

PART = [("yes", "taking part"), ("no", "withdrawn")]


def _listed(request: HttpRequest, study: Study) -> Shown:
    return listed(
        request, study.assignments.select_related("reader", "study").order_by("code"),
        search=("code", "reader__username", "reader__email"), searches="code, name, e-mail",
        filters=[Filter("part", "Part", "withdrawn_at__isnull", PART, {"yes": True, "no": False})],
    )  # fmt: skip


def _rows(assignments: Iterable[Assignment]) -> list[dict]:
    """Every reader with where they stand: counts and times, no arm."""
    rows = []
    for assignment in assignments:
        progress = reading_selectors.progress_of(assignment, ahead=0)
        described = reading_selectors.describe_sets(reading_selectors.sets_of(assignment))
        rows.append(
            {
                "assignment": assignment,
                "progress": progress,
                "stage": progress.stage.replace("_", " "),
                "sets": described,
                "joined": assignment.reader.has_usable_password(),
                "to_remind": progress.stage.value not in ("withdrawn", "not_open", "closed", "finished"),
            }
        )
    return rows


@form_methods
@admin_page
def study_readers(request: HttpRequest, slug: str) -> HttpResponse:
    """The list, and the forms by which one more is invited, or many from a table."""
    study = get_object_or_404(Study.objects.defer("protocol"), slug=slug)
    forms, answer = _invite(request, study)
    if answer is not None:
        return answer
    ended = study.state in (Study.State.CLOSED, Study.State.UNBLINDED)
    asked = {"withdraw_form": WithdrawRequest, "reopen_form": ReopenRequest, "washout_form": WashoutRequest}
    forms |= {name: form_class(request_class)(auto_id=False) for name, request_class in asked.items()}
    shown = _listed(request, study)
    context = {"study": study, "list": shown, "rows": _rows(shown.page), "ended": ended, **forms}
    wrong = forms["form"].errors or forms["table_form"].errors
    return render(request, "study/readers.html", context, status=400 if wrong else 200)


def _invite(request: HttpRequest, study: Study) -> tuple[dict[str, Any], HttpResponse | None]:
    """The two forms; and the answer to the one that was sent, where it could be used."""
    one, many = form_class(InviteRequest), form_class(InviteTableRequest)
    if request.method != "POST":
        return {"form": one(), "table_form": many(auto_id="table_%s")}, None
    by_table = request.GET.get("what") == "table"
    sent = many(request.POST, request.FILES, auto_id="table_%s") if by_table else one(request.POST)
    forms = {"form": one(), "table_form": sent} if by_table else {"form": sent, "table_form": many(auto_id="table_%s")}
    if sent.is_valid():
        try:
            return forms, (invite_table if by_table else invite_one)(request, study, sent.cleaned_data)
        except InvalidInput as error:
            show_error(sent, error)
    return forms, None


def _assignment(slug: str, code: str) -> Assignment:
    return get_object_or_404(Assignment.objects.select_related("study", "reader"), study__slug=slug, code=code)


@require_POST
@admin_page
def remind(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    assignment = _assignment(slug, code)
    try:
        text = reminder(assignment=assignment, address=request.build_absolute_uri("/"))
    except InvalidInput as error:
        messages.error(request, str(error))
        return redirect("study:readers", slug=slug)
    sent = readers.send(
        assignment=assignment,
        subject=subject_of(assignment),
        text=text,
        actor=actor(request),
        action="reminded",
    )
    about = {"study": assignment.study, "assignment": assignment, "mail_server": settings.EMAIL_CONFIGURED}
    return render(request, "study/reminded.html", about | {"text": text, "sent": sent})


@require_POST
@admin_page
def withdraw(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    assignment = _assignment(slug, code)
    try:
        readers.withdraw(assignment=assignment, reason=request.POST.get("reason", ""), actor=actor(request))
        messages.success(request, f"{code} was withdrawn; what they answered is kept and marked.")
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect("study:readers", slug=slug)


@require_POST
@admin_page
def reopen(request: HttpRequest, slug: str, code: str, number: int) -> HttpResponse:
    reading_set = get_object_or_404(ReadingSet, assignment=_assignment(slug, code), number=number)
    try:
        sets.reopen_set(reading_set=reading_set, actor=actor(request), reason=request.POST.get("reason", ""))
        messages.success(request, f"Set {number} of {code} is open again.")
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect("study:readers", slug=slug)


@require_POST
@admin_page
def washout(request: HttpRequest, slug: str, code: str, number: int) -> HttpResponse:
    """Correct when a set ended, after a wrong clock."""
    reading_set = get_object_or_404(ReadingSet, assignment=_assignment(slug, code), number=number)
    asked = {name: request.POST.get(name, "") for name in ("reason", "finished_at")}
    try:
        sets.correct_washout(reading_set=reading_set, actor=actor(request), **asked)
        messages.success(request, f"The wash-out after set {number} of {code} runs from the corrected time.")
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect("study:readers", slug=slug)
