"""What every page of the reading room shares: whose study it is, and that nothing is kept in a cache."""

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare

from core.models import User
from study.models import Assignment, GuideImage
from study.reading import progress as selectors

JSON_LENGTH = 1024


def _uncached(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"
    return response


def claimed_user(request: HttpRequest) -> int | None:
    """The primary key of whom the session names; whether it may, ``recognised`` says."""
    session = request.session
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    return int(session[SESSION_KEY]) if SESSION_KEY in session else None


def recognised(request: HttpRequest, user: User) -> bool:
    """Whether this is who is signed in, by Django's own rules; all that is out of order is left to Django."""
    given = request.session.get(HASH_SESSION_KEY, "")
    if user.is_active and constant_time_compare(given, user.get_session_auth_hash()):
        request._cached_user = user  # where the middleware looks before it asks the database
        return True
    return bool(request.user.is_authenticated)


def reader_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """``view(request, assignment, ...)`` for a signed-in reader of the study ``slug``; 404 for anybody else."""

    @login_required
    @functools.wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponse:
        assignment = selectors.assignment_of(request.user, slug)
        if assignment is None:
            raise Http404
        return _uncached(view(request, assignment, **kwargs))

    return wrapped


def reader_api(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As ``reader_page``, answering in JSON: 401 when the session has ended, 404 when there is no such study."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponse:
        claimed = claimed_user(request)
        assignment = None if claimed is None else selectors.seat_of(claimed, slug)
        known = recognised(request, assignment.reader) if assignment else request.user.is_authenticated
        if not known:
            return padded_json({"error": "signed_out"}, status=401)
        if assignment is None or not selectors.may_sit(assignment.reader, assignment.study):
            return padded_json({"error": "not_found"}, status=404)
        return view(request, assignment, **kwargs)

    return wrapped


def padded_json(value: dict[str, Any], status: int = 200) -> HttpResponse:
    """JSON filled up with spaces, so that documents of one kind have one length whatever they say."""
    response = JsonResponse(value, status=status)
    short = -len(response.content) % JSON_LENGTH
    response.content += b" " * short
    return _uncached(response)


def sitting_key(assignment: Assignment) -> str:
    """Where a browser's session keeps the number of its sitting."""
    return f"sitting_{assignment.pk}"


def sitting_of(request: HttpRequest, assignment: Assignment) -> int | None:
    """This browser's sitting; after signing in again, the reader's newest one."""
    return request.session.get(sitting_key(assignment)) or selectors.latest_sitting(assignment)


def practice_patch(request: HttpRequest, assignment: Assignment, number: int) -> dict[str, Any]:
    """What the page of one practice patch shows; with the feedback, where an answer came with the request."""
    patches = selectors.guides(assignment.study, GuideImage.Kind.PRACTICE)
    if not 1 <= number <= len(patches):
        raise Http404
    patch, answer = patches[number - 1], request.POST.get("answer")
    return {
        "assignment": assignment,
        "study": assignment.study,
        "patch": patch,
        "number": number,
        "count": len(patches),
        "answer": answer if answer in ("tumour", "no_tumour") else None,
        "right": (answer == "tumour") == patch.truth,
        "next": number + 1 if number < len(patches) else None,
    }
