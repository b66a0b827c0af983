"""Who may see what: one predicate per role, and for each role a guard for pages and a permission for the API.

A superuser counts as an admin. A person either reads a study or sees its arms, never both: a reader gets 403 from
every page that could show what was done to a patch.
"""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from rest_framework import permissions
from rest_framework.request import Request

from core.models import User

View = Callable[..., HttpResponseBase]


def is_reader(user: Any) -> bool:
    """Sees the reading pages only."""
    return user.is_authenticated and not user.is_superuser and user.role == User.Role.READER


def is_researcher(user: Any) -> bool:
    """May see arms, that is, what was done to a patch: researchers and admins."""
    return user.is_authenticated and (user.is_superuser or user.role in User.SEES_ARMS)


def is_admin(user: Any) -> bool:
    """May build studies, invite readers and unblind."""
    return user.is_authenticated and (user.is_superuser or user.role == User.Role.ADMIN)


def in_team(user: Any, rows: QuerySet) -> QuerySet:
    """Of rows that may belong to a team, those that this researcher may see: their teams', and everybody's.

    Admins see all. Where no teams were made, every row is everybody's.
    """
    if is_admin(user):
        return rows
    return rows.filter(Q(team=None) | Q(team__in=user.groups.all()))


def _guard(allowed: Callable[[Any], bool], view: View) -> View:
    @never_cache
    @login_required
    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not allowed(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return wrapped


def researcher_page(view: View) -> View:
    """For researchers and admins."""
    return _guard(is_researcher, view)


def admin_page(view: View) -> View:
    """For admins alone: building studies, inviting readers."""
    return _guard(is_admin, view)


class IsResearcher(permissions.BasePermission):
    message = "Only researchers and admins may use this interface; readers read in the browser."

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_researcher(request.user)


class IsAdminOrReads(permissions.BasePermission):
    """Researchers may read; admins may also write."""

    message = "Only admins may change studies and readers."

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_researcher(request.user) if request.method in permissions.SAFE_METHODS else is_admin(request.user)
