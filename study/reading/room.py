"""The page on which images are read. It is one form that works by itself; JavaScript takes it over where it runs."""

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import InvalidInput
from study.models import Presentation, Response, Study
from study.reading import texts
from study.reading.access import go_to, reading_page, show
from study.reading.answers import Conflict, NotServed
from study.reading.forms import read_answer
from study.reading.progress import Progress, size_of
from study.reading.visit import Visit


def room(
    request: HttpRequest,
    visit: Visit,
    progress: Progress,
    presentation: Presentation | None,
    latest: Response | None = None,
) -> HttpResponse:
    """The page of one presentation, or of the end of a set."""
    study = visit.study
    context: dict[str, Any] = {
        "progress": progress,
        "presentation": presentation,
        "size": size_of(presentation) if presentation else None,
        "latest": latest,
        "changing": latest is not None,
        "position": presentation.position if presentation else progress.count,
        "key": secrets.token_urlsafe(16),
        **asked(study),
        "pixels_per_mm": visit.pixels_per_mm,
        "page_texts": _page_texts(study),
        "break_due": bool(study.break_every and progress.answered and progress.answered % study.break_every == 0),
        "until_next_set": _until_next_set(progress),
    }
    return show(request, visit, "reading/read.html", **context)


def _page_texts(study: Study) -> dict[str, str]:
    """Texts for the scripts. Pairs are called pairs; who does not ask about alterations does not speak of them."""
    wanted = texts.now(texts.ROOM | (texts.PAIRED if study.paired else {}))
    if "perturbed_response" not in study.questions:
        wanted.pop("perturbed_response")
    return wanted


def asked(study: Study) -> dict[str, Any]:
    """What the form asks, in the reading and in the practice."""
    return {
        "answers": answer_choices(study),
        "immediate": not study.questions,
        "alternating": study.paired and study.pair_display == Study.PairDisplay.ALTERNATING,
    }


def _until_next_set(progress: Progress) -> str:
    """What happens after the end of the set, in words."""
    last = progress.reading_set is None or progress.reading_set.number == progress.sets
    return texts.until_next_set(last, progress.assignment.study.washout_hours)


def answer_choices(study: Study) -> list[dict[str, str]]:
    """The two answers with their texts and keys."""
    if study.task == "labelling":
        return [
            {"value": "tumour", "label": _("Tumour"), "key": "t"},
            {"value": "no_tumour", "label": _("No tumour"), "key": "n"},
        ]
    if study.pair_display == "alternating":
        return [
            {"value": "first", "label": pgettext("of a pair", "First"), "key": "f"},
            {"value": "second", "label": pgettext("of a pair", "Second"), "key": "s"},
        ]
    return [
        {"value": "first", "label": pgettext("of a pair", "Left"), "key": "l"},
        {"value": "second", "label": pgettext("of a pair", "Right"), "key": "r"},
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@reading_page
def read(request: HttpRequest, visit: Visit) -> HttpResponse:
    if request.method == "POST":
        return _save(request, visit)
    progress = visit.progress()
    if not progress.in_set:
        return go_to(request, visit, "study")
    if not visit.checked:
        return go_to(request, visit, "viewing")
    return room(request, visit, progress, progress.current)


def _save(request: HttpRequest, visit: Visit) -> HttpResponse:
    try:
        visit.record_answer(**read_answer(request.POST))
    except InvalidInput as error:
        label = texts.LABELS.get(error.field or "", "")
        wrong = f"{label}: {error.message}" if label else str(error)
        messages.error(request, _("The answer was not accepted: %(wrong)s") % {"wrong": wrong})
    except (Conflict, NotServed):
        messages.warning(request, texts.stale())
    return go_to(request, visit, "read")


@require_safe
@reading_page
def change(request: HttpRequest, visit: Visit) -> HttpResponse:
    """The presentation answered last, with its answer, to be answered anew."""
    progress = visit.progress()
    if progress.previous is None or not visit.checked:
        return go_to(request, visit, "read")
    return room(request, visit, progress, progress.previous, visit.current_response(progress.previous))


@require_POST
@reading_page
def finish(request: HttpRequest, visit: Visit) -> HttpResponse:
    number = request.POST.get("set", "")
    try:
        visit.finish_set(number=int(number) if number.isdecimal() else 0)
    except (Conflict, NotServed):
        messages.warning(request, texts.stale())
    return go_to(request, visit, "study")
