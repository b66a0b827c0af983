"""Galleries: the figures that have been drawn, with the data behind them, and buttons that ask for the others."""

from typing import Any

from django.db.models import Model
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from attacks import gallery
from attacks.measure_requests import measures_of_attack
from core.access import researcher_page
from jobs.selectors import progress_of, workers

TYPES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}


def _subject(kind: str, pk: int) -> Any:
    if kind not in gallery.SUBJECTS:
        raise Http404
    return get_object_or_404(gallery.SUBJECTS[kind], pk=pk)


def _figure(kind: str, subject: Model, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the gallery as its template shows it: with the addresses of its files, or with how far its job is."""
    job = row.get("job")
    if row["stored"] is not None:
        name = row["recipe"].name
        return row | {
            "wide": row["stored"].wide,
            "files": {
                suffix: reverse("attacks:figure_file", args=[kind, subject.pk, name, suffix]) for suffix in TYPES
            },
        }
    if job is not None and job.is_active:
        return row | {"active": {"job": job} | progress_of(job)}
    return row | {"missing": not row["reason"]}


@require_safe
@researcher_page
def gallery_page(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Every figure of this attack, classifier or cross-validation: drawn, being drawn, or with a button to draw it."""
    subject = _subject(kind, pk)
    figures = [_figure(kind, subject, row) for row in gallery.gallery_rows(kind, subject)]
    context = {
        "subject": subject,
        "kind": kind,
        "tab": "figures",
        "measures": measures_of_attack(subject) if kind == "attack" else None,
        "figures": figures,
        "missing": sum(figure.get("missing", False) for figure in figures),
        "active": any("active" in figure for figure in figures),
        "workers": workers(),
    }
    return render(request, "attacks/gallery.html", context)


@require_POST
@researcher_page
def request_figure(request: HttpRequest, kind: str, pk: int, name: str) -> HttpResponse:
    """Ask for one figure; the gallery shows how far its job is."""
    subject = _subject(kind, pk)
    if name not in {recipe.name for recipe in gallery.figures_of(subject)}:
        raise Http404
    gallery.request_figure(name=name, kind=kind, subject=subject, by=request.user)
    return redirect("attacks:gallery", kind=kind, pk=pk)


@require_POST
@researcher_page
def request_figures(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Ask for every figure that can be drawn and has not been: a job for each."""
    subject = _subject(kind, pk)
    for row in gallery.gallery_rows(kind, subject):
        if row["stored"] is None and not row["reason"]:
            gallery.request_figure(name=row["recipe"].name, kind=kind, subject=subject, by=request.user)
    return redirect("attacks:gallery", kind=kind, pk=pk)


@require_safe
@researcher_page
def figure_file(request: HttpRequest, kind: str, pk: int, name: str, suffix: str) -> FileResponse:
    """One file of a figure that has been drawn."""
    subject = _subject(kind, pk)
    stored = gallery.stored_figure(name, subject) if suffix in TYPES and name in gallery.RECIPES else None
    if stored is None:
        raise Http404
    return FileResponse(
        stored.files[suffix].open("rb"),
        content_type=TYPES[suffix],
        as_attachment=suffix in ("pdf", "csv") or "download" in request.GET,
        filename=f"{name}-{subject}.{suffix}".replace(" ", "-").replace("/", "-"),
    )
