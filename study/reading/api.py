"""The reading page's JSON: where the reader stands, an answer, an earlier answer, signing in again in place."""

import json
from typing import Any

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from core.errors import InvalidInput
from study.models import Assignment, Presentation
from study.reading import answers as reading
from study.reading import progress as selectors
from study.reading.access import padded_json, reader_api, sitting_of
from study.reading.forms import read_answer


def _named(presentation: Presentation | None, pair: bool) -> dict[str, str | None] | None:
    if presentation is None:
        return None
    return {"first": presentation.token, "second": presentation.second_token if pair else None}


def describe(place: selectors.Place) -> dict[str, Any]:
    """All that a browser is told of a place: numbers and opaque tokens of one length."""
    pair = place.assignment.study.task == "pair"
    return {
        "stage": place.stage,
        "set": place.reading_set.number if place.reading_set else None,
        "sets": place.sets,
        "count": place.count,
        "answered": place.answered,
        "opens_at": place.opens_at,
        "previous": _named(place.previous, pair),
        "current": _named(place.current, pair),
        "next": _named(place.next, pair),
    }


def _document(request: HttpRequest) -> dict[str, Any]:
    try:
        document = json.loads(request.body)
    except ValueError:
        raise InvalidInput("not a JSON document.", field="body") from None
    if not isinstance(document, dict):
        raise InvalidInput("not a JSON object.", field="body")
    return document


@require_safe
@ensure_csrf_cookie
@reader_api
def state(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    return padded_json({"state": describe(selectors.place_of(assignment))})


@require_POST
@reader_api
def answer(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    """Save one answer; replies with its revision and the place that follows."""
    try:
        saved = reading.record_answer(
            assignment=assignment, sitting=sitting_of(request, assignment), **read_answer(_document(request))
        )
    except InvalidInput as error:
        return padded_json({"error": "bad_input", "message": str(error)}, status=400)
    except reading.NotServed:
        return padded_json({"error": "not_found"}, status=404)
    except reading.Conflict as error:
        place = describe(selectors.place_of(assignment))
        return padded_json({"error": "conflict", "message": str(error), "state": place}, status=409)
    return padded_json({"revision": saved.response.revision, "state": describe(saved.place)})


@require_safe
@reader_api
def given(request: HttpRequest, assignment: Assignment, token: str) -> HttpResponse:
    """The reader's own current answer to the presentation that they may still change."""
    previous = selectors.place_of(assignment).previous
    if previous is None or previous.token != token:
        return padded_json({"error": "not_found"}, status=404)
    latest = selectors.current_response(previous)
    names = ("revision", "answer", "confidence", "tumour_cell_count", "perturbed_response", "note")
    return padded_json({name: getattr(latest, name) for name in names})


@require_POST
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Sign in again without leaving the page: 403 for a wrong password, 409 for another reader."""
    try:
        document = _document(request)
    except InvalidInput as error:
        return padded_json({"error": "bad_input", "message": str(error)}, status=400)
    user = authenticate(request, username=document.get("username"), password=document.get("password"))
    if user is None:
        return padded_json({"error": "wrong"}, status=403)
    assignment = selectors.assignment_of(user, slug)
    if assignment is None or assignment.code != document.get("code"):
        return padded_json({"error": "other_reader"}, status=409)
    login(request, user)
    return padded_json({"signed_in": True})
