"""Readers of a study: invite, watch without arms, remind, withdraw, reopen a set."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from core.access import admin_page
from core.errors import InvalidInput
from core.pages import actor, form_methods, show_error
from core.requests import form_class
from study.conduct.reminders import reminder
from study.models import Assignment, ReadingSet, Study
from study.protocol import readers
from study.protocol.readers import invite
from study.protocol.requests import InviteRequest, ReopenRequest, WashoutRequest, WithdrawRequest
from study.reading import progress as reading_selectors
from study.reading import sets


def _rows(study: Study) -> list[dict]:
    """Every reader with where they stand: counts and times, no arm."""
    rows = []
    for assignment in study.assignments.select_related("reader", "study").order_by("code"):
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
    """The list, and the form by which one more is invited."""
    study = get_object_or_404(Study.objects.defer("protocol"), slug=slug)
    form = form_class(InviteRequest)(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            invitation, secret = invite(study=study, actor=actor(request), **asked)
        except InvalidInput as error:
            show_error(form, error)
        else:
            return _invited(request, invitation.assignment, secret, asked["days"])
    ended = study.state in (Study.State.CLOSED, Study.State.UNBLINDED)
    asked = {"withdraw_form": WithdrawRequest, "reopen_form": ReopenRequest, "washout_form": WashoutRequest}
    forms = {name: form_class(request_class)(auto_id=False) for name, request_class in asked.items()}
    context = {"study": study, "form": form, "rows": _rows(study), "ended": ended, **forms}
    return render(request, "study/readers.html", context, status=400 if form.errors else 200)


def _invited(request: HttpRequest, assignment: Assignment, secret: str, days: int) -> HttpResponse:
    """The link is shown this once: only its hash is kept."""
    link = readers.join_link(request.build_absolute_uri("/"), secret)
    text = readers.invitation_text(assignment=assignment, link=link, days=days)
    sent = readers.send(
        assignment=assignment,
        subject=f"Invitation: {assignment.study.name}",
        text=text,
        actor=actor(request),
        action="invitation_written",
    )
    return _written(request, assignment, link=link, text=text, sent=sent)


def _written(request: HttpRequest, assignment: Assignment, **context: object) -> HttpResponse:
    about = {"study": assignment.study, "assignment": assignment, "mail_server": settings.EMAIL_CONFIGURED}
    return render(request, "study/invited.html", about | context)


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
        subject=f"Reminder: {assignment.study.name}",
        text=text,
        actor=actor(request),
        action="reminded",
    )
    return _written(request, assignment, text=text, sent=sent, reminder=True)


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
