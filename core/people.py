"""Everybody who has an account, for admins: their roles, and a one-time link for who has lost their password."""

import logging

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from core.access import admin_page
from core.errors import InvalidInput
from core.lists import Column, Filter, listed
from core.models import User
from core.pages import form_methods, show_error
from core.passwords import demand_password, password_link
from core.requests import SureRequest, form_class
from core.second_factor import remove_second_factor, with_second_factor

log = logging.getLogger(__name__)
COLUMNS = [
    Column("User name", "username", key="name"),
    Column("Role", "role"),
    Column("Teams"),
    Column("Last signed in", "last_login", key="seen"),
    Column("Password"),
    Column("Second factor"),
]


@require_safe
@admin_page
def people(request: HttpRequest) -> HttpResponse:
    """Everybody who has an account."""
    rows = User.objects.prefetch_related("groups").order_by("role", "username").distinct()
    shown = listed(
        request, rows, columns=COLUMNS, search=("username", "email", "groups__name"), searches="name, e-mail, team",
        filters=[Filter("role", "Role", "role", User.Role.choices)],
    )  # fmt: skip
    return render(request, "core/people.html", {"list": shown, "second": with_second_factor(shown.page)})


class RemoveSecondFactor(SureRequest):
    """Somebody else's second factor, which they have lost."""


def _out_of_reach(request: HttpRequest, person: User) -> bool:
    """Whether this person is a superuser and who asks is none; they are told so then."""
    if person.is_superuser and not request.user.is_superuser:
        messages.error(request, "Only a superuser may do that for a superuser.")
        return True
    return False


@form_methods
@admin_page
@sensitive_post_parameters("password")
def second_factor(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove the second factor of somebody who has lost phone and recovery codes. Asks for the admin's password."""
    person = get_object_or_404(User, pk=pk)
    if _out_of_reach(request, person):
        return redirect("people")
    form = form_class(RemoveSecondFactor)(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            demand_password(request, form.cleaned_data["password"])
        except InvalidInput as error:
            show_error(form, error)
        else:
            remove_second_factor(person)
            log.warning("%s removed the second factor of %s", request.user.get_username(), person)
            messages.success(request, f"{person} signs in with the password alone from now on.")
            return redirect("people")
    context = {"person": person, "form": form}
    return render(request, "core/people_second_factor.html", context, status=400 if form.errors else 200)


@require_POST
@admin_page
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """A link, shown this once, by which this person sets a new password."""
    person = get_object_or_404(User, pk=pk, is_active=True)
    if _out_of_reach(request, person):
        return redirect("people")
    log.warning("%s made a link by which %s can set a new password", request.user.get_username(), person)
    context = {"person": person, "link": password_link(request, person)}
    return render(request, "core/people_link.html", context)
