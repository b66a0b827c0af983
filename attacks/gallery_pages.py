"""Galleries: thumbnails to enlarge, with the data behind them. Quick figures are drawn at once, slow ones as jobs."""

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from attacks.models import Attack
from core.access import researcher_page
from core.errors import InvalidInput
from jobs.services import submit
from model.models import Classifier, CrossValidation

SUBJECTS: dict[str, type] = {
    "classifier": Classifier,
    "attack": Attack,
    "cross-validation": CrossValidation,
}
TYPES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


def _gallery() -> Any:
    """The list of figures, imported when somebody looks: it brings torch, which other pages do without."""
    from attacks import gallery

    return gallery


def _subject(kind: str, pk: int) -> Any:
    if kind not in SUBJECTS:
        raise Http404
    return get_object_or_404(SUBJECTS[kind], pk=pk)


@require_safe
@researcher_page
def gallery_page(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Every figure that can be made of this; the slow ones that are not there yet with a button to order them."""
    subject, gallery = _subject(kind, pk), _gallery()
    shown = []
    for recipe in gallery.figures_of(subject):
        entry: dict[str, Any] = {"name": recipe.name, "title": recipe.title}
        try:
            made = gallery.made(recipe.name, subject) if recipe.slow else gallery.make(recipe.name, subject)
        except InvalidInput as error:
            entry["reason"] = str(error)
        else:
            if made is not None:
                entry |= {"caption": made.caption, "files": _addresses(kind, pk, recipe.name)}
        shown.append(entry)
    context = {"subject": subject, "kind": kind, "figures": shown, "back": _back(kind, subject)}
    return render(request, "attacks/gallery.html", context)


@require_POST
@researcher_page
def request_figure(request: HttpRequest, kind: str, pk: int, name: str) -> HttpResponse:
    """A slow figure as a job; its page shows how far it is."""
    subject, gallery = _subject(kind, pk), _gallery()
    if name not in gallery.RECIPES:
        raise Http404
    job = submit(
        kind="figure",
        arguments={"name": name, "of": kind, "pk": pk},
        requested_by=request.user,
        title=f"{gallery.RECIPES[name].title}: {subject}",
    )
    return redirect("jobs:job", pk=job.pk)


@require_safe
@researcher_page
def figure_file(request: HttpRequest, kind: str, pk: int, name: str, suffix: str) -> HttpResponse:
    """One file of a figure that has been made."""
    subject, gallery = _subject(kind, pk), _gallery()
    made = gallery.made(name, subject) if suffix in TYPES and name in gallery.RECIPES else None
    if made is None:
        raise Http404
    download = suffix in ("pdf", "csv") or "download" in request.GET
    return FileResponse(
        made.files[suffix].open("rb"),
        content_type=TYPES[suffix],
        as_attachment=download,
        filename=f"{name}-{subject}.{suffix}".replace(" ", "-").replace("/", "-"),
    )


def _addresses(kind: str, pk: int, name: str) -> dict[str, str]:
    return {suffix: reverse("attacks:figure_file", args=[kind, pk, name, suffix]) for suffix in TYPES}


def _back(kind: str, subject: Any) -> tuple[str, str]:
    """Address and words of the page that this gallery belongs to."""
    if kind == "cross-validation":
        return reverse("model:dataset", args=[subject.dataset_id]), str(subject.dataset)
    address = "attacks:attack" if kind == "attack" else "model:classifier"
    return reverse(address, args=[subject.pk]), str(subject)
