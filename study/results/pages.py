"""The researcher's results: the page, its figures, and every file that can leave the study."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from core.access import researcher_page
from core.errors import InvalidInput
from study import blinds as selectors
from study.models import Study
from study.results.analysis import analysis_of
from study.results.exports.figures import FIGURES
from study.results.exports.registry import Export, Source, exports, find
from study.results.exports.report import page_context


def _results_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """``view(request, study, ...)`` for researchers; until the study is unblinded a page that says why not."""

    @require_safe
    @researcher_page
    @functools.wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        study = get_object_or_404(Study, slug=slug)
        if not selectors.arms_open(study):
            progress = selectors.progress_by_reader(study)
            return render(request, "study/results_closed.html", {"study": study, "progress": progress}, status=403)
        return view(request, study, **kwargs)

    return wrapped


@_results_page
def results(request: HttpRequest, study: Study) -> HttpResponse:
    """Tables 1a and 1b side by side, the verdict, and everything behind it."""
    try:
        analysis = analysis_of(study).to_json()
    except InvalidInput as error:
        return render(request, "study/results_closed.html", {"study": study, "reason": str(error)}, status=409)
    names = ["forest", "flow"] + (["psychometric"] if analysis["psychometric"] else [])
    figures = {name: reverse("results:figure", args=[study.slug, name]) for name in names}
    groups: dict[str, list[Export]] = {}
    for export in exports(study):
        groups.setdefault(export.group, []).append(export)
    context = {**page_context(study, analysis), "figures": figures, "downloads": groups.items()}
    return render(request, "study/results.html", context)


@_results_page
def figure(request: HttpRequest, study: Study, name: str) -> HttpResponse:
    drawn = FIGURES[name](analysis_of(study).to_json()) if name in FIGURES else None
    if drawn is None:
        raise Http404
    return HttpResponse(drawn, content_type="image/svg+xml")


@_results_page
def download(request: HttpRequest, study: Study, filename: str) -> HttpResponseBase:
    """One file, streamed. 409 with the reason where this study cannot fill it."""
    export = find(study, filename)
    if export is None:
        raise Http404
    try:
        chunks = export.write(Source(study))
    except InvalidInput as error:
        return render(request, "study/results_closed.html", {"study": study, "reason": str(error)}, status=409)
    headers = {"Content-Disposition": f'attachment; filename="{study.slug}-{filename}"'}
    return StreamingHttpResponse(chunks, content_type=export.content_type, headers=headers)
