"""The researcher's results: the page, its figures, and every file that can leave the study."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from core.access import researcher_page
from core.errors import InvalidInput
from study import blinds as selectors
from study.models import Study
from study.protocol import prediction_requests
from study.results.analysis import analysis_of
from study.results.exports.figures import FIGURES
from study.results.exports.registry import Export, Source, exports, find
from study.results.exports.report import page_context
from study.results.verified import verification_of

_PICTURES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}


def _results_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """``view(request, study, ...)`` for researchers; where there is nothing to see yet, a page that says why.

    403 until the study is unblinded; 409 where this study cannot fill what was asked for.
    """

    @require_safe
    @researcher_page
    @functools.wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        study = get_object_or_404(selectors.studies_for(request.user), slug=slug)
        if not selectors.arms_open(study):
            progress = selectors.progress_by_reader(study)
            return render(request, "study/results_closed.html", {"study": study, "progress": progress}, status=403)
        try:
            return view(request, study, **kwargs)
        except InvalidInput as error:
            return render(request, "study/results_closed.html", {"study": study, "reason": str(error)}, status=409)

    return wrapped


@_results_page
def results(request: HttpRequest, study: Study) -> HttpResponse:
    """Tables 1a and 1b side by side, the verdict, and everything behind it."""
    analysis = analysis_of(study).to_json()
    names = ["forest", "flow"] + (["psychometric"] if analysis["psychometric"] else [])
    names += ["visibility"] if any(one["curves"] for one in analysis["visibility"]) else []
    figures = {name: reverse("results:figure", args=[study.slug, name, "svg"]) for name in names}
    groups: dict[str, list[tuple[Export, str]]] = {}
    for export in exports(study):
        groups.setdefault(export.group, []).append((export, export.lacking(study)))
    context = {**page_context(study, analysis), "figures": figures, "downloads": groups.items()}
    context |= {"holes": Source(study).holes(), "verification": verification_of(study)}
    context |= {"prediction": prediction_requests.state_of(study) if analysis["predictors"] else None}
    return render(request, "study/results.html", context)


@require_POST
@researcher_page
def predict(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for what cvvdp predicts that readers see; the results page then shows the job."""
    study = get_object_or_404(selectors.studies_for(request.user), slug=slug)
    try:
        if selectors.arms_open(study):
            prediction_requests.ask(study=study, by=request.user)
    except InvalidInput as error:
        messages.error(request, str(error))
    return redirect("results:results", slug)


@_results_page
def figure(request: HttpRequest, study: Study, name: str, suffix: str) -> HttpResponse:
    """A figure of the page as a picture for it, or as a file for a paper."""
    drawn = FIGURES[name](analysis_of(study).to_json(), suffix) if name in FIGURES and suffix in _PICTURES else None
    if drawn is None:
        raise Http404
    headers = {} if suffix == "svg" else {"Content-Disposition": f'attachment; filename="{study.slug}-{name}.{suffix}"'}
    return HttpResponse(drawn, content_type=_PICTURES[suffix], headers=headers)


@_results_page
def download(request: HttpRequest, study: Study, filename: str) -> HttpResponseBase:
    """One file, streamed. 409 with the reason where this study cannot fill it."""
    export = find(study, filename)
    if export is None:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{study.slug}-{filename}"'}
    return StreamingHttpResponse(Source(study).write(export), content_type=export.content_type, headers=headers)
