"""Everybody who has an account, for admins: their roles, and a one-time link for who has lost their password."""

import logging

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from core.access import admin_page
from core.models import User
from core.pages import paged
from core.passwords import password_link

log = logging.getLogger(__name__)


@require_safe
@admin_page
def people(request: HttpRequest) -> HttpResponse:
    """Everybody who has an account."""
    rows = User.objects.prefetch_related("groups").order_by("role", "username")
    return render(request, "core/people.html", {"page": paged(request, rows)})


@require_POST
@admin_page
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """A link, shown this once, by which this person sets a new password."""
    person = get_object_or_404(User, pk=pk, is_active=True)
    if person.is_superuser and not request.user.is_superuser:
        messages.error(request, "Only a superuser may do that for a superuser.")
        return redirect("people")
    log.warning("%s made a link by which %s can set a new password", request.user.get_username(), person)
    context = {"person": person, "link": password_link(request, person)}
    return render(request, "core/people_link.html", context)
