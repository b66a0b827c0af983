"""Inviting readers, one or many. The links are shown once, on a page of their own: its key lies in the inviting
browser's signed cookie and goes with the first showing. The database keeps hashes alone, and a GET writes nothing.
"""

import csv
import io
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from core.access import admin_page
from core.errors import InvalidInput
from core.pages import actor
from study.models import Assignment, Invitation, Study
from study.protocol import readers
from study.protocol.reader_table import invitations_in

COOKIE = "invitations"
SHOWN_WITHIN_S = 600
AGAIN_DAYS = 14


def invite_one(request: HttpRequest, study: Study, asked: dict[str, Any]) -> HttpResponse:
    """Raises InvalidInput, naming the field."""
    key = readers.new_key()
    invitation, _ = readers.invite(study=study, actor=actor(request), key=key, **asked)
    return _shown_next(request, study, key, [invitation])


def invite_table(request: HttpRequest, study: Study, asked: dict[str, Any]) -> HttpResponse:
    """Raises InvalidInput, naming every line that is wrong; nobody is invited then."""
    table, key = asked["table"], readers.new_key()
    otherwise = {name: asked[name] for name in ("days", "language")}
    rows = invitations_in(table.read(), called=table.name[:100], **otherwise)
    invitations = readers.invite_all(study=study, rows=rows, actor=actor(request), key=key)
    return _shown_next(request, study, key, invitations)


def _shown_next(request: HttpRequest, study: Study, key: str, invitations: list[Invitation]) -> HttpResponse:
    """Mail them where a mail server is set, and go on to the page that shows the links."""
    mailed = 0
    for invitation, secret in readers.invited_with(study, key):
        mailed += readers.send_invitation(invitation=invitation, link=_link(request, secret), actor=actor(request))
    if mailed:
        messages.success(request, f"{mailed} of {len(invitations)} invitations went out by mail.")
    response = redirect("study:invited", slug=study.slug)
    address = reverse("study:invited", args=[study.slug])
    response.set_signed_cookie(
        COOKIE, key, max_age=SHOWN_WITHIN_S, path=address, secure=request.is_secure(), httponly=True, samesite="Strict"
    )
    return response


def _link(request: HttpRequest, secret: str) -> str:
    return readers.join_link(request.build_absolute_uri("/"), secret)


@require_safe
@admin_page
def invited(request: HttpRequest, slug: str) -> HttpResponse:
    """The links of who was just invited, shown this once; they hold also when this page is loaded again."""
    study = get_object_or_404(Study.objects.defer("protocol"), slug=slug)
    try:
        key = request.get_signed_cookie(COOKIE, max_age=SHOWN_WITHIN_S)
    except (KeyError, signing.BadSignature):
        key = ""
    mailed = _mailed(study) if key else set()
    rows = [
        {
            "assignment": invitation.assignment,
            "link": _link(request, secret),
            "language": invitation.language,
            "mailed": invitation.assignment.code in mailed,
            "text": readers.invitation_text(invitation=invitation, link=_link(request, secret)),
        }
        for invitation, secret in (readers.invited_with(study, key) if key else ())
    ]
    context = {"study": study, "rows": rows, "table": _table(rows), "mail_server": settings.EMAIL_CONFIGURED}
    response = render(request, "study/invited.html", context)
    response.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return response


def _mailed(study: Study) -> set[str]:
    """The codes of those whose last invitation went out by mail, as the log has it."""
    events = study.events.filter(action="invitation_written").order_by("pk")
    last = {event.detail["reader"]: event.detail["mailed"] for event in events}
    return {code for code, mailed in last.items() if mailed}


def _table(rows: list[dict[str, Any]]) -> str:
    """The links as CSV, to be pasted into a mail merge."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(["code", "username", "email", "link", "language"])
    for row in rows:
        reader = row["assignment"].reader
        lines.writerow([row["assignment"].code, reader.username, reader.email, row["link"], row["language"]])
    return written.getvalue()


@require_POST
@admin_page
def invite_again(request: HttpRequest, slug: str, code: str) -> HttpResponse:
    """A new link for who has not joined yet; the one before it ends."""
    assignment = get_object_or_404(Assignment.objects.select_related("study", "reader"), study__slug=slug, code=code)
    try:
        if assignment.withdrawn_at:
            raise InvalidInput(f"{code} was withdrawn.")
        asked = {
            "username": assignment.reader.username,
            "days": AGAIN_DAYS,
            "language": readers.language_for(assignment),
        }
        return invite_one(request, assignment.study, asked)
    except InvalidInput as error:
        messages.error(request, str(error))
        return redirect("study:readers", slug=slug)
