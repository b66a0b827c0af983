"""The reading page's JSON: how far the reader is, an answer, an earlier answer, signing in again in progress."""

import json
from typing import Any

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from core.errors import InvalidInput
from study.models import Presentation
from study.reading.access import is_preview, padded_json, reading_api, signing_in
from study.reading.answers import Conflict, NotServed
from study.reading.forms import read_answer, text_of
from study.reading.progress import Progress, assignment_of
from study.reading.visit import Visit


def _named(presentation: Presentation | None, pair: bool) -> dict[str, str | None] | None:
    if presentation is None:
        return None
    return {"first": presentation.token, "second": presentation.second_token if pair else None}


def describe(progress: Progress) -> dict[str, Any]:
    """All that a browser is told: numbers and opaque tokens of one length."""
    pair = progress.assignment.study.paired
    return {
        "stage": progress.stage,
        "set": progress.reading_set.number if progress.reading_set else None,
        "sets": progress.sets,
        "count": progress.count,
        "answered": progress.answered,
        "opens_at": progress.opens_at,
        "previous": _named(progress.previous, pair),
        "current": _named(progress.current, pair),
        "next": _named(progress.next, pair),
    }


def _document(request: HttpRequest) -> dict[str, Any]:
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        raise InvalidInput("not a JSON document.", field="body") from None
    if not isinstance(document, dict):
        raise InvalidInput("not a JSON object.", field="body")
    return document


@require_safe
@ensure_csrf_cookie
@reading_api
def state(request: HttpRequest, visit: Visit) -> HttpResponse:
    return padded_json({"state": describe(visit.progress())})


@require_POST
@reading_api
def answer(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Save one answer; replies with its revision and the progress that follows."""
    try:
        saved = visit.record_answer(**read_answer(_document(request)))
    except InvalidInput as error:
        return padded_json({"error": "bad_input", "field": error.field, "message": str(error)}, status=400)
    except NotServed:
        return padded_json({"error": "not_found"}, status=404)
    except Conflict as error:
        state = describe(visit.progress())
        return padded_json({"error": "conflict", "message": str(error), "state": state}, status=409)
    return padded_json({"revision": saved.response.revision, "state": describe(saved.progress)})


@require_safe
@reading_api
def own_answer(request: HttpRequest, visit: Visit, token: str) -> HttpResponse:
    """The reader's own current answer to the presentation that they may still change."""
    previous = visit.progress().previous
    latest = visit.current_response(previous) if previous is not None and previous.token == token else None
    if latest is None:
        return padded_json({"error": "not_found"}, status=404)
    names = ("revision", "answer", "confidence", "tumour_cell_count", "perturbed_response", "note")
    return padded_json({name: getattr(latest, name) for name in names})


@require_POST
@signing_in
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Sign in again without leaving the page: 403 for a wrong password, 409 for another reader."""
    if is_preview(request):
        return padded_json({"error": "other_reader"}, status=409)
    try:
        document = _document(request)
        name, password, code = (text_of(document.get(key)) for key in ("username", "password", "code"))
    except InvalidInput as error:
        return padded_json({"error": "bad_input", "message": str(error)}, status=400)
    user = authenticate(request, username=name, password=password)
    if user is None:
        return padded_json({"error": "wrong"}, status=403)
    assignment = assignment_of(user, slug)
    if assignment is None or assignment.code != code:
        return padded_json({"error": "other_reader"}, status=409)
    login(request, user)
    return padded_json({"signed_in": True})
