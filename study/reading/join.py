"""The single-use link by which a reader comes in.

Its secret stands behind the ``#`` of ``/reading/join/#SECRET``, which no server sees. A script posts it at once;
without scripts it is pasted into the page. The session then keeps its hash, and no address ever holds it.
"""

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from core.errors import InvalidInput
from core.passwords import pasted
from study.models import Invitation
from study.protocol import duration, readers
from study.protocol.readers import InvitationGone

KEPT = "invitation"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def join(request: HttpRequest) -> HttpResponse:
    """Opening the link does not use it up (mail scanners open links); joining does."""
    if request.method == "POST" and "code" in request.POST:
        return _keep(request)
    digest = request.session.get(KEPT, "")
    if not digest and request.method != "POST":
        return render(request, "reading/join_code.html")
    try:
        invitation = readers.open_invitation(digest)
        with translation.override(_language(request, invitation)):
            response = _answer(request, invitation)
            response.headers["Content-Language"] = translation.get_language()
        return response
    except InvitationGone:
        request.session.pop(KEPT, None)
        return render(request, "reading/join_gone.html", status=404)


def _language(request: HttpRequest, invitation: Invitation) -> str | None:
    """That of the invitation, until the reader has chosen one in this browser."""
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES or not invitation.language:
        return translation.get_language()
    return invitation.language


def _answer(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    try:
        return _joined(request, invitation) if request.method == "POST" else _show(request, invitation)
    except InvalidInput as wrong:
        return _show(request, invitation, error=wrong.message)


def _keep(request: HttpRequest) -> HttpResponse:
    digest = readers.digest_of(pasted(request.POST["code"]))
    try:
        readers.open_invitation(digest)
    except InvitationGone:
        return render(request, "reading/join_gone.html", status=404)
    request.session[KEPT] = digest
    return redirect("reading:join")


def _show(request: HttpRequest, invitation: Invitation, error: str = "") -> HttpResponse:
    reader = invitation.assignment.reader
    context = {
        "invitation": invitation,
        "error": error,
        "known": reader.has_usable_password(),
        "signed_in": request.user == reader,
        "length": duration.length_for(invitation.assignment),
    }
    return render(request, "reading/join.html", context, status=400 if error else 200)


def _joined(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """A new reader sets a password; who has one is signed in, and keeps it."""
    digest, reader = invitation.secret_sha256, invitation.assignment.reader
    if reader.has_usable_password():
        if request.user != reader:
            return redirect("reading:join")
        readers.accept_invitation(digest)
    else:
        password, again = request.POST.get("password", ""), request.POST.get("again", "")
        reader = readers.accept_invitation(digest, password=password, again=again)
        login(request, reader, backend="django.contrib.auth.backends.ModelBackend")
    request.session.pop(KEPT, None)
    return redirect("reading:consent", slug=invitation.assignment.study.slug)
