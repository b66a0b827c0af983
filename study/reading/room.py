"""The page on which images are read. It is one form that works by itself; JavaScript takes it over where it runs."""

import secrets

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import InvalidInput
from study.models import Assignment, Presentation, Response
from study.reading import answers as reading
from study.reading import progress as selectors
from study.reading import texts
from study.reading.access import reader_page, sitting_key, sitting_of
from study.reading.forms import read_answer
from study.reading.progress import Place, Stage


def room(
    request: HttpRequest,
    place: Place,
    presentation: Presentation | None,
    latest: Response | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of one presentation, or of the end of a set."""
    study = place.assignment.study
    context = {
        "assignment": place.assignment,
        "study": study,
        "place": place,
        "presentation": presentation,
        "size": selectors.size_of(presentation) if presentation else None,
        "latest": latest,
        "changing": latest is not None,
        "position": presentation.position if presentation else place.count,
        "key": secrets.token_urlsafe(16),
        "answers": _answers(study),
        "immediate": not study.questions,
        "page_texts": texts.section("page"),
        "break_due": bool(study.break_every and place.answered and place.answered % study.break_every == 0),
        "until_next_set": _until_next_set(place),
    }
    return render(request, "reading/read.html", context, status=status)


def _until_next_set(place: Place) -> str:
    """What happens after the end of the set, in words."""
    if place.reading_set is None or place.reading_set.number == place.sets:
        return texts.say("read.done_last")
    hours = place.assignment.study.washout_hours
    if not hours:
        return texts.say("read.done_next")
    if hours >= 48 and hours % 24 == 0:
        return texts.say("read.done_washout_days", days=int(hours // 24))
    return texts.say("read.done_washout", hours=f"{hours:g}")


def _answers(study) -> list[dict[str, str]]:
    """The two answers with their texts and keys."""
    ending = "_alternating" if study.pair_display == "alternating" else ""
    if study.task == "labelling":
        return [
            {"value": "tumour", "label": texts.say("read.tumour"), "key": "t"},
            {"value": "no_tumour", "label": texts.say("read.no_tumour"), "key": "n"},
        ]
    keys = ("f", "s") if ending else ("l", "r")
    return [
        {"value": "first", "label": texts.say(f"read.first{ending}"), "key": keys[0]},
        {"value": "second", "label": texts.say(f"read.second{ending}"), "key": keys[1]},
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@reader_page
def read(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    if request.method == "POST":
        return _save(request, assignment)
    place = selectors.place_of(assignment)
    if place.stage not in (Stage.READING, Stage.SET_DONE):
        return redirect("reading:study", slug=assignment.study.slug)
    if sitting_key(assignment) not in request.session:
        return redirect("reading:viewing", slug=assignment.study.slug)
    return room(request, place, place.current)


def _save(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    try:
        reading.record_answer(
            assignment=assignment, sitting=sitting_of(request, assignment), **read_answer(request.POST)
        )
    except InvalidInput as error:
        messages.error(request, texts.say("read.error", message=str(error)))
    except (reading.Conflict, reading.NotServed):
        messages.warning(request, texts.say("read.stale"))
    return redirect("reading:read", slug=assignment.study.slug)


@require_safe
@reader_page
def change(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    """The presentation answered last, with its answer, to be answered anew."""
    place = selectors.place_of(assignment)
    if place.previous is None or sitting_key(assignment) not in request.session:
        return redirect("reading:read", slug=assignment.study.slug)
    return room(request, place, place.previous, selectors.current_response(place.previous))


@require_POST
@reader_page
def finish(request: HttpRequest, assignment: Assignment) -> HttpResponse:
    number = request.POST.get("set", "")
    try:
        reading.finish_set(assignment=assignment, number=int(number) if number.isdecimal() else 0)
    except (reading.Conflict, reading.NotServed):
        messages.warning(request, texts.say("read.stale"))
    return redirect("reading:study", slug=assignment.study.slug)
