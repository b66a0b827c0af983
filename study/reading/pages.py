"""The pages around the reading: the reader's studies, consent, instructions, viewing check, practice, questionnaire."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import InvalidInput
from study.models import Assignment, GuideImage
from study.reading import answers as reading
from study.reading import progress as selectors
from study.reading import texts
from study.reading.access import practice_patch, reader_page, sitting_key
from study.reading.forms import QuestionnaireForm, require_valid
from study.reading.progress import Stage

page_methods = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The reader's studies; straight on where there is only one."""
    places = [selectors.place_of(assignment) for assignment in selectors.assignments_of(request.user)]
    return render(request, "reading/home.html", {"places": places})


@require_safe
@reader_page
def study(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    """Where the reader stands, and one button to what comes next."""
    context = {
        "assignment": assignment,
        "study": assignment.study,
        "place": selectors.place_of(assignment),
        "sets": selectors.sets_of(assignment),
        "checked": sitting_key(assignment) in request.session,
    }
    return render(request, "reading/study.html", context)


@page_methods
@reader_page
def consent(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    missing = False
    if request.method == "POST":
        if request.POST.get("agree"):
            reading.consent(assignment=assignment)
            return redirect("reading:instructions", slug=assignment.study.slug)
        missing = True
    context = {"assignment": assignment, "study": assignment.study, "missing": missing}
    return render(request, "reading/consent.html", context, status=400 if missing else 200)


@require_safe
@reader_page
def instructions(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    context = {
        "assignment": assignment,
        "study": assignment.study,
        "examples": selectors.guides(assignment.study, GuideImage.Kind.EXAMPLE),
        "place": selectors.place_of(assignment),
        "checked": sitting_key(assignment) in request.session,
    }
    return render(request, "reading/instructions.html", context)


def _measured(request: HttpRequest) -> dict:
    """The viewing check's measurements; a page without JavaScript has none."""
    try:
        viewing = json.loads(request.POST.get("viewing") or "{}")
    except ValueError:
        viewing = {}
    return viewing if isinstance(viewing, dict) else {}


@page_methods
@reader_page
def viewing(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    """A new sitting begins with the size of its window."""
    if assignment.consented_at is None:
        return redirect("reading:consent", slug=assignment.study.slug)
    if request.method == "POST":
        agent = request.headers.get("User-Agent", "")
        session = reading.start_session(assignment=assignment, viewing=_measured(request), user_agent=agent)
        request.session[sitting_key(assignment)] = session.pk
        practice = selectors.place_of(assignment).stage is Stage.PRACTICE
        slug = assignment.study.slug
        return redirect("reading:practice", slug=slug, number=1) if practice else redirect("reading:read", slug=slug)
    context = {"assignment": assignment, "study": assignment.study, "page_texts": texts.section("viewing")}
    return render(request, "reading/viewing.html", context)


@page_methods
@reader_page
def practice(request: HttpRequest, assignment: Assignment, number: int) -> HttpResponse:
    """One practice patch; an answer brings feedback and is not stored."""
    context = practice_patch(request, assignment, number)
    return render(request, "reading/practice.html", context)


@require_POST
@reader_page
def practice_end(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    reading.finish_practice(assignment=assignment)
    return redirect("reading:read", slug=assignment.study.slug)


@page_methods
@reader_page
def questionnaire(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    if selectors.place_of(assignment).stage is not Stage.QUESTIONNAIRE:
        return redirect("reading:study", slug=assignment.study.slug)
    form = QuestionnaireForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            reading.save_questionnaire(assignment=assignment, **require_valid(form))
            return redirect("reading:study", slug=assignment.study.slug)
        except InvalidInput as error:
            messages.error(request, str(error))
    context = {"assignment": assignment, "study": assignment.study, "form": form}
    return render(request, "reading/questionnaire.html", context, status=400 if form.errors else 200)
