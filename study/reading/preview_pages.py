"""A walk through a study as its readers will take it. Every page is the reading room's own; nothing is stored."""

import functools
import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from core.access import admin_page
from core.errors import InvalidInput
from study.models import GuideImage, Study
from study.reading import preview, texts
from study.reading import progress as selectors
from study.reading.access import padded_json, practice_patch
from study.reading.api import describe
from study.reading.forms import QuestionnaireForm, read_answer
from study.reading.images import png
from study.reading.preview import Preview, preview_of
from study.reading.room import room

KEY = "preview"


def _kept(request: HttpRequest, slug: str) -> dict[str, Any]:
    kept = request.session.get(KEY) or {}
    return kept if kept.get("slug") == slug else {"slug": slug, "answered": 0, "last": {}}


def _keep(request: HttpRequest, walk: Preview) -> None:
    request.session[KEY] = {"slug": walk.study.slug, "answered": walk.answered, "last": walk.last}


def _page(view):
    """``view(request, walk, ...)`` for an admin, who can never read this study."""

    @admin_page
    @functools.wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponse:
        found = get_object_or_404(Study.objects.defer("protocol"), slug=slug)
        kept = _kept(request, slug)
        return view(request, preview_of(found, answered=kept["answered"], last=kept["last"]), **kwargs)

    return wrapped


@admin_page
def home(request: HttpRequest) -> HttpResponse:
    return redirect("study:studies")


@require_POST
@admin_page
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """From the beginning: consent, instructions, viewing check, practice, reading."""
    _keep(request, Preview(get_object_or_404(Study, slug=slug)))
    return redirect("preview:consent", slug=slug)


@require_safe
@_page
def study(request: HttpRequest, walk: Preview) -> HttpResponse:
    return render(request, "study/preview.html", {"study": walk.study, "walk": walk})


@_page
def consent(request: HttpRequest, walk: Preview) -> HttpResponse:
    if request.method == "POST" and request.POST.get("agree"):
        return redirect("preview:instructions", slug=walk.study.slug)
    context = {"assignment": walk.assignment, "study": walk.study, "missing": request.method == "POST"}
    return render(request, "reading/consent.html", context, status=400 if context["missing"] else 200)


@require_safe
@_page
def instructions(request: HttpRequest, walk: Preview) -> HttpResponse:
    context = {
        "assignment": walk.assignment,
        "study": walk.study,
        "examples": selectors.guides(walk.study, GuideImage.Kind.EXAMPLE),
        "place": walk.place(),
        "checked": False,
    }
    return render(request, "reading/instructions.html", context)


@_page
def viewing(request: HttpRequest, walk: Preview) -> HttpResponse:
    slug = walk.study.slug
    if request.method == "POST":
        if walk.study.practice_count:
            return redirect("preview:practice", slug=slug, number=1)
        return redirect("preview:read", slug=slug)
    context = {"assignment": walk.assignment, "study": walk.study, "page_texts": texts.section("viewing")}
    return render(request, "reading/viewing.html", context)


@_page
def practice(request: HttpRequest, walk: Preview, number: int) -> HttpResponse:
    context = practice_patch(request, walk.assignment, number)
    return render(request, "reading/practice.html", context)


@require_POST
@_page
def practice_end(request: HttpRequest, walk: Preview) -> HttpResponse:
    return redirect("preview:read", slug=walk.study.slug)


@_page
def read(request: HttpRequest, walk: Preview) -> HttpResponse:
    if request.method == "POST":
        try:
            given = read_answer(request.POST)
            if not walk.answer({"token": given["token"], **_plain(given)}):
                messages.warning(request, texts.say("read.stale"))
            _keep(request, walk)
        except InvalidInput as error:
            messages.error(request, texts.say("read.error", message=str(error)))
        return redirect("preview:read", slug=walk.study.slug)
    if (request.session.get(KEY) or {}).get("slug") != walk.study.slug:
        return redirect("preview:study", slug=walk.study.slug)  # another study's walk is under way
    place = walk.place()
    return room(request, place, place.current)


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """The values of ``read_answer`` that the page shows again."""
    answer = given["given"]
    names = ("answer", "confidence", "tumour_cell_count", "perturbed_response", "note")
    return {name: getattr(answer, name) for name in names}


@require_safe
@_page
def change(request: HttpRequest, walk: Preview) -> HttpResponse:
    return redirect("preview:read", slug=walk.study.slug)


@require_POST
@_page
def finish(request: HttpRequest, walk: Preview) -> HttpResponse:
    return redirect("preview:questionnaire", slug=walk.study.slug)


@_page
def questionnaire(request: HttpRequest, walk: Preview) -> HttpResponse:
    if request.method == "POST":
        return redirect("preview:study", slug=walk.study.slug)
    context = {"assignment": walk.assignment, "study": walk.study, "form": QuestionnaireForm()}
    return render(request, "reading/questionnaire.html", context)


@require_safe
@ensure_csrf_cookie
@_page
def state(request: HttpRequest, walk: Preview) -> HttpResponse:
    return padded_json({"state": describe(walk.place())})


@require_POST
@_page
def answer(request: HttpRequest, walk: Preview) -> HttpResponse:
    try:
        given = read_answer(json.loads(request.body))
    except (ValueError, TypeError) as error:
        return padded_json({"error": "bad_input", "message": str(error)}, status=400)
    if not walk.answer({"token": given["token"], **_plain(given)}):
        return padded_json({"error": "not_found"}, status=404)
    _keep(request, walk)
    return padded_json({"revision": 1, "state": describe(walk.place())})


@require_safe
@_page
def given(request: HttpRequest, walk: Preview, token: str) -> HttpResponse:
    previous = walk.place().previous
    if previous is None or previous.token != token or not walk.last:
        return padded_json({"error": "not_found"}, status=404)
    return padded_json(walk.last)


@require_POST
@admin_page
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    return padded_json({"error": "other_reader"}, status=409)


@require_safe
@admin_page
def image(request: HttpRequest, token: str) -> HttpResponse:
    """A stimulus of the study that is being walked through, while it lies in the window."""
    kept = request.session.get(KEY) or {}
    found = Study.objects.defer("protocol").filter(slug=kept.get("slug", "")).first()
    stimulus = preview_of(found, answered=kept["answered"]).stimulus(token) if found else None
    if stimulus is None:
        raise Http404
    return png(stimulus.image.name, stimulus.sha256)


@require_safe
@admin_page
def guide(request: HttpRequest, token: str) -> HttpResponse:
    kept = request.session.get(KEY) or {}
    found = Study.objects.defer("protocol").filter(slug=kept.get("slug", "")).first()
    picture = preview.guide(found, token) if found else None
    if picture is None:
        raise Http404
    return png(picture.image.name, picture.sha256)
