"""What every reading page shares: who comes in, to which assignment, and that nothing is kept in a cache.

The addresses are mounted twice. Under /reading/ they serve readers; in the instance named ``preview`` they serve
admins, who see the same pages on an assignment that is not saved.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from core.access import View, admin_page
from study.models import Study
from study.reading.preview import Preview
from study.reading.progress import assignment_of
from study.reading.visit import ReaderVisit, Visit

JSON_LENGTH = 1024
PREVIEW = "preview"
Answer = TypeVar("Answer", bound=HttpResponseBase)


def _namespace(request: HttpRequest) -> str:
    return request.resolver_match.namespace if request.resolver_match else ""


def is_preview(request: HttpRequest) -> bool:
    return _namespace(request) == PREVIEW


def uncached(response: Answer) -> Answer:
    response.headers["Cache-Control"] = "no-store"
    return response


def for_readers_or_preview(view: View, guard: Callable[[View], View]) -> View:
    """``guard``'s rules for readers; admins alone in the preview."""
    for_readers, for_admins = guard(view), admin_page(view)

    @functools.wraps(view)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return (for_admins if is_preview(request) else for_readers)(request, **kwargs)

    return wrapped


def visit_of(request: HttpRequest, slug: str) -> Visit | None:
    """The signed-in reader's own visit, or the admin's preview; None where there is no such study for them."""
    if is_preview(request):
        return Preview(request.session, get_object_or_404(Study.objects.defer("protocol"), slug=slug))
    assignment = assignment_of(request.user, slug)
    return None if assignment is None else ReaderVisit(request, assignment)


def reading_page(view: View) -> View:
    """``view(request, visit, ...)`` for a signed-in reader of the study ``slug``; 404 for anybody else."""

    @functools.wraps(view)
    def with_visit(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        visit = visit_of(request, slug)
        if visit is None:
            raise Http404
        return uncached(view(request, visit, **kwargs))

    return for_readers_or_preview(with_visit, login_required)


def reading_api(view: View) -> View:
    """As ``reading_page``, answering in JSON: 401 when the session has ended, 404 when there is no such study."""

    @functools.wraps(view)
    def with_visit(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        visit = visit_of(request, slug)
        return padded_json({"error": "not_found"}, status=404) if visit is None else view(request, visit, **kwargs)

    return for_readers_or_preview(with_visit, signed_in_or(lambda: padded_json({"error": "signed_out"}, status=401)))


def own_page(view: View) -> View:
    """``view(request)`` for the person who is signed in, about themselves."""
    return for_readers_or_preview(view, login_required)


def signing_in(view: View) -> View:
    """``view(request, slug)`` for anybody; in the preview nobody but an admin comes that far."""
    return for_readers_or_preview(view, lambda view: view)


def signed_in_or(otherwise: Callable[[], HttpResponse]) -> Callable[[View], View]:
    """A guard that answers with ``otherwise()`` where nobody is signed in."""

    def guard(view: View) -> View:
        @functools.wraps(view)
        def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            return view(request, **kwargs) if request.user.is_authenticated else otherwise()

        return wrapped

    return guard


def padded_json(value: dict[str, Any], status: int = 200) -> HttpResponse:
    """JSON filled up with spaces, so that documents of one kind have one length whatever they say."""
    response = JsonResponse(value, status=status)
    short = -len(response.content) % JSON_LENGTH
    response.content += b" " * short
    return uncached(response)


def show(request: HttpRequest, visit: Visit, template: str, status: int = 200, **context: Any) -> HttpResponse:
    """A page of the visit; the template marks it where it is a preview."""
    shared = {"visit": visit, "assignment": visit.assignment, "study": visit.study}
    return render(request, template, shared | context, status=status)


def go_to(request: HttpRequest, visit: Visit, name: str, **arguments: Any) -> HttpResponseRedirect:
    """To another page of the visit: of the reading, or of the preview."""
    address = reverse(
        f"reading:{name}",
        kwargs={"slug": visit.study.slug, **arguments},
        current_app=_namespace(request),
    )
    return redirect(address)
