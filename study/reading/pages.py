"""The pages around the reading: the reader's studies, consent, instructions, viewing check, practice, questionnaire."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.access import admin_page
from core.errors import InvalidInput
from study.models import GuideImage, Study
from study.protocol import duration
from study.reading import practice as practising
from study.reading import progress as selectors
from study.reading import texts
from study.reading.access import go_to, reading_page, show
from study.reading.forms import QuestionnaireForm, require_valid
from study.reading.preview import Preview
from study.reading.progress import Stage, width_of
from study.reading.room import asked
from study.reading.visit import Visit

page_methods = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The reader's studies."""
    studies = [selectors.progress_of(assignment) for assignment in selectors.assignments_of(request.user)]
    return render(request, "reading/home.html", {"studies": studies})


@require_safe
@admin_page
def preview_home(request: HttpRequest) -> HttpResponse:
    return redirect("study:studies")


@require_POST
@admin_page
def begin_again(request: HttpRequest, slug: str) -> HttpResponse:
    """A preview from its beginning."""
    preview = Preview(request.session, get_object_or_404(Study.objects.defer("protocol"), slug=slug))
    preview.begin_again()
    return go_to(request, preview, "consent")


@require_safe
@reading_page
def study(request: HttpRequest, visit: Visit) -> HttpResponse:
    """How far the reader is, and one button to what comes next."""
    return show(request, visit, "reading/study.html", progress=visit.progress(), sets=visit.sets())


@page_methods
@reading_page
def consent(request: HttpRequest, visit: Visit) -> HttpResponse:
    missing = False
    if request.method == "POST":
        if request.POST.get("agree"):
            visit.consent()
            return go_to(request, visit, "instructions")
        missing = True
    return show(request, visit, "reading/consent.html", status=400 if missing else 200, missing=missing)


@require_safe
@reading_page
def instructions(request: HttpRequest, visit: Visit) -> HttpResponse:
    examples = selectors.guides(visit.study, GuideImage.Kind.EXAMPLE)
    return show(
        request, visit, "reading/instructions.html",
        examples=examples, progress=visit.progress(), length=_length(visit),
    )  # fmt: skip


def _length(visit: Visit) -> str:
    """How many sets and images there are and how long they take, in words."""
    counts = [row["count"] for row in visit.sets()]
    return duration.length(visit.study, sets=len(counts), count=max(counts, default=0))


def _measured(request: HttpRequest) -> dict:
    """The viewing check's measurements; a page without JavaScript has none."""
    try:
        viewing = json.loads(request.POST.get("viewing") or "{}")
    except (ValueError, RecursionError):
        viewing = {}
    return viewing if isinstance(viewing, dict) else {}


def _into_the_set(visit: Visit) -> str:
    """A set begins with a press of Start, since its images are timed; in the middle of one the reading continues."""
    return "read" if visit.progress().answered else "study"


@page_methods
@reading_page
def viewing(request: HttpRequest, visit: Visit) -> HttpResponse:
    """A new session begins with the size of its window."""
    if visit.assignment.consented_at is None:
        return go_to(request, visit, "consent")
    if request.method == "POST":
        visit.start_session(viewing=_measured(request), user_agent=request.headers.get("User-Agent", ""))
        if visit.progress().stage is Stage.PRACTICE:
            return go_to(request, visit, "practice", number=1)
        return go_to(request, visit, _into_the_set(visit))
    page_texts = texts.now(texts.VIEWING)
    return show(request, visit, "reading/viewing.html", patch=width_of(visit.study), page_texts=page_texts)


@page_methods
@reading_page
def practice(request: HttpRequest, visit: Visit, number: int) -> HttpResponse:
    """One practice patch or pair; an answer brings feedback and is not stored."""
    page = practising.page_of(visit.study, number, request.POST)
    texts_said = texts.now({name: texts.ROOM[name] for name in ("showing_first", "showing_second")})
    page |= asked(visit.study) | {"pixels_per_mm": visit.pixels_per_mm}
    return show(request, visit, "reading/practice.html", **page, page_texts=texts_said)


@require_POST
@reading_page
def practice_end(request: HttpRequest, visit: Visit) -> HttpResponse:
    visit.finish_practice()
    return go_to(request, visit, "study")


@page_methods
@reading_page
def questionnaire(request: HttpRequest, visit: Visit) -> HttpResponse:
    if visit.progress().stage is not Stage.QUESTIONNAIRE:
        return go_to(request, visit, "study")
    form = QuestionnaireForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            visit.save_questionnaire(**require_valid(form))
            return go_to(request, visit, "study")
        except InvalidInput as error:
            messages.error(request, error.message)
    return show(request, visit, "reading/questionnaire.html", status=400 if form.errors else 200, form=form)
