"""What every page of the office shares: who may come in, and how a refusal finds its field."""

import functools
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from study import selectors

View = Callable[..., HttpResponse]
PAGE = 50


def _page(allowed: Callable[[Any], bool], view: View) -> View:
    @never_cache
    @login_required
    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not allowed(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return wrapped


def researcher_page(view: View) -> View:
    """For researchers and admins. A reader gets 403: a person reads, or sees what was made, and never both."""
    return _page(selectors.is_researcher, view)


def admin_page(view: View) -> View:
    """For admins: studies and readers."""
    return _page(selectors.is_admin, view)


def say_at_field(form: forms.Form, error: ValueError) -> None:
    """``field: what is wrong`` is shown beside that field; everything else above the form."""
    name, _, rest = str(error).partition(": ")
    field = name if rest and name in form.fields else None
    text = rest if field else str(error)
    form.add_error(field, text[:1].upper() + text[1:])


def paged(request: HttpRequest, rows: QuerySet | list) -> Page:
    return Paginator(rows, PAGE).get_page(request.GET.get("page"))
