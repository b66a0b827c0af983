"""The optional second factor of who sees arms: six digits from a phone (TOTP) or a recovery code."""

import time
from collections.abc import Iterable
from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import match_token
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from core.access import researcher_page
from core.errors import InvalidInput
from core.models import User
from core.pages import form_methods, show_error
from core.passwords import demand_password

WAITING = "signing_in"
WAITS_S = 300
RECOVERY_CODES = 10


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        help_text=gettext_lazy("Six digits from your phone, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


# --- Signing in -------------------------------------------------------------------------------------------------------


def has_second_factor(user: Any) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def with_second_factor(users: Iterable[Any]) -> set[int]:
    """The keys of those who have set one up."""
    keys = [user.pk for user in users]
    return set(TOTPDevice.objects.filter(user__in=keys, confirmed=True).values_list("user", flat=True))


def wait_for_code(request: HttpRequest, user: Any, following: str) -> HttpResponse:
    """The password was right: remember whose it was, and ask for the code."""
    request.session[WAITING] = {
        "user": user.pk,
        "backend": user.backend,
        "until": time.time() + WAITS_S,
        "to": following,
    }
    return redirect("sign_in_code")


@form_methods
@never_cache
@sensitive_post_parameters()
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second step of signing in, for who has set up a second factor."""
    waiting = request.session.get(WAITING) or {}
    user = User.objects.filter(pk=waiting.get("user", 0), is_active=True).first()
    if user is None or waiting["until"] < time.time():
        return redirect("sign_in")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        # Wrong codes are slowed down, each for twice as long as the one before.
        if match_token(user, form.cleaned_data["code"].replace(" ", "").lower()):
            request.session.pop(WAITING)
            login(request, user, backend=waiting["backend"])
            return redirect(waiting["to"])
        form.add_error("code", "This code is not right, or it was used already. Wait for the next one.")
    return render(request, "core/sign_in_code.html", {"form": form}, status=400 if form.errors else 200)


# --- Setting it up ----------------------------------------------------------------------------------------------------


@form_methods
@researcher_page
@sensitive_post_parameters()
def second_factor(request: HttpRequest) -> HttpResponse:
    """Turn the second factor on or off, or make new recovery codes; each asks for the password again."""
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            demand_password(request, form.cleaned_data["password"])
        except InvalidInput as error:
            show_error(form, error)
        else:
            return STEPS.get(request.POST.get("what", ""), _begin)(request)
    context = {"form": form, "on": has_second_factor(request.user), "left": _codes(request.user).count()}
    return render(request, "core/second_factor.html", context, status=400 if form.errors else 200)


def _begin(request: HttpRequest) -> HttpResponse:
    """A new secret, which counts only when a code of it was typed in."""
    if not has_second_factor(request.user):
        TOTPDevice.objects.filter(user=request.user).delete()
        TOTPDevice.objects.create(user=request.user, name="phone", confirmed=False)
    return redirect("second_factor_confirm")


def _codes(user: Any) -> Any:
    return StaticToken.objects.filter(device__user=user)


@transaction.atomic
def _new_codes(request: HttpRequest) -> HttpResponse:
    """Recovery codes, shown this once; older ones end."""
    StaticDevice.objects.filter(user=request.user).delete()
    device = StaticDevice.objects.create(user=request.user, name="recovery codes")
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=code) for code in codes])
    return render(request, "core/recovery_codes.html", {"codes": codes})


def _off(request: HttpRequest) -> HttpResponse:
    remove_second_factor(request.user)
    messages.success(request, "The second factor is off.")
    return redirect("second_factor")


def remove_second_factor(user: Any) -> None:
    """Somebody's, by an admin: they have lost their phone and their recovery codes."""
    with transaction.atomic():
        for device in (TOTPDevice, StaticDevice):
            device.objects.filter(user=user).delete()


STEPS = {"codes": _new_codes, "off": _off}


@form_methods
@researcher_page
@sensitive_post_parameters()
def confirm(request: HttpRequest) -> HttpResponse:
    """The new secret as a picture and as text; a code of it turns the second factor on."""
    device = TOTPDevice.objects.filter(user=request.user, confirmed=False).first()
    if device is None:
        return redirect("second_factor")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if device.verify_token(form.cleaned_data["code"].replace(" ", "")):
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            return _new_codes(request)
        form.add_error("code", "This code is not right. Is the clock of your phone? Wait for the next one.")
    secret = device.config_url.partition("secret=")[2].partition("&")[0]
    picture = segno.make(device.config_url, error="m").png_data_uri(scale=5, border=4)
    context = {"form": form, "picture": picture, "secret": secret}
    return render(request, "core/second_factor_confirm.html", context, status=400 if form.errors else 200)
