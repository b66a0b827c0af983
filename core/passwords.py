"""Passwords: which are refused, changing one's own, setting a new one by a link, and being asked for it again.

A link's secret stands behind its ``#``: browsers keep that part to themselves, so that no server, proxy or log sees it.
A script posts it at once; without scripts it is pasted into the page.
"""

import re
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, get_user_model, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm, SetPasswordForm
from django.contrib.auth.tokens import default_token_generator
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from core.errors import InvalidInput
from core.models import User, plain_name
from core.requests import SureRequest, form_class

CODE_KEPT = "set_password_code"
LEFT = 6
"""So many letters must be left of a password without its owner's name."""
form_page = require_http_methods(["GET", "HEAD", "POST"])


class NotTheSameAgain:
    """Refuses the user's own name with a little around it, and a short piece said twice: ``newbie-newbie``."""

    def validate(self, password: str, user: Any = None) -> None:
        plain = plain_name(password)
        name = plain_name(user.get_username()) if user is not None else ""
        if len(name) >= 3 and name in plain and len(re.sub(r"[\W_]", "", plain.replace(name, ""))) < LEFT:
            raise ValidationError(_("The password is little more than the user name."), code="user_name_in_password")
        if re.fullmatch(r"(.+?)[\W_]*(?:\1[\W_]*)+", plain):
            raise ValidationError(_("The password says the same thing again and again."), code="password_repeats")

    def get_help_text(self) -> str:
        return _("Your password can’t be your user name with a little around it, nor the same thing twice.")


def demand_password(request: HttpRequest, password: Any) -> None:
    """Raises InvalidInput unless this is the signed-in person's password. Failures count as those of signing in do."""
    name = request.user.get_username()
    # DRF's request is wrapped around Django's, which the count of failed attempts needs.
    if authenticate(getattr(request, "_request", request), username=name, password=str(password)) != request.user:
        raise InvalidInput("this is not your password, or you tried too often.", field="password")


def confirmed(request: HttpRequest, declared: type[SureRequest]) -> dict[str, Any]:
    """What was sent with a form that asks for the password again.

    Raises:
        InvalidInput: naming the first field that is wrong; the password may be one.
    """
    form = form_class(declared)(request.POST)
    if not form.is_valid():
        name, wrong = next(iter(form.errors.items()))
        raise InvalidInput(
            " ".join(map(str, wrong)), field=str(form.fields[name].label).lower() if name in form.fields else ""
        )
    demand_password(request, form.cleaned_data["password"])
    return form.cleaned_data


# --- One's own password -----------------------------------------------------------------------------------------------


@form_page
@never_cache
@login_required
@sensitive_post_parameters()
def change(request: HttpRequest) -> HttpResponse:
    """Change your password. Other sessions of yours end."""
    form = PasswordChangeForm(request.user, request.POST or None)  # type: ignore[arg-type]
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, _("Your password was changed. You were signed out everywhere else."))
        return redirect("account")
    return render(request, "core/password_change.html", {"form": form}, status=400 if form.errors else 200)


class Forgotten(PasswordResetForm):
    """Who has no password yet is invited anew, not sent a link."""

    def get_users(self, email: str) -> Any:
        # One mail in five minutes, so that nobody's mailbox is filled by strangers.
        return [user for user in super().get_users(email) if cache.add(f"password-mail-{user.pk}", True, 300)]


@form_page
@never_cache
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link by mail. The answer is the same whether there is such an account or not."""
    form = Forgotten(request.POST or None)
    sent = bool(request.method == "POST" and settings.EMAIL_CONFIGURED and form.is_valid())
    if sent:
        form.save(
            request=request,
            use_https=request.is_secure(),
            subject_template_name="core/password_mail_subject.txt",
            email_template_name="core/password_mail.txt",
        )
    context = {"form": form, "sent": sent, "by_mail": settings.EMAIL_CONFIGURED}
    return render(request, "core/password_forgotten.html", context, status=400 if form.errors else 200)


# --- A new password by a link -----------------------------------------------------------------------------------------


def password_link(request: HttpRequest, user: User) -> str:
    """A link by which this person sets a new password, once, within ``PASSWORD_RESET_TIMEOUT``."""
    code = f"{urlsafe_base64_encode(force_bytes(user.pk))}.{default_token_generator.make_token(user)}"
    return request.build_absolute_uri(reverse("password_new")) + "#" + code


def _owner(code: str) -> User | None:
    """Whose password the code sets; None if it cannot be used (any more)."""
    uid, _, token = code.partition(".")
    try:
        user = get_user_model().objects.filter(pk=int(urlsafe_base64_decode(uid)), is_active=True).first()
    except (ValueError, OverflowError):
        return None
    return user if user is not None and default_token_generator.check_token(user, token) else None


def pasted(text: str) -> str:
    """A code, also where the whole link was pasted."""
    return text.strip().rpartition("#")[2]


@form_page
@never_cache
@sensitive_post_parameters()
def new(request: HttpRequest) -> HttpResponse:
    """Set a new password with the code of a link. Opening the link does not use it up; setting the password does."""
    if request.method == "POST" and "code" in request.POST:
        return _keep(request)
    user = _owner(request.session.get(CODE_KEPT, ""))
    if user is None:
        return render(request, "core/password_code.html")
    form = SetPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        request.session.pop(CODE_KEPT)
        messages.success(request, _("The new password is set. Sign in with it."))
        return redirect("sign_in")
    return render(request, "core/password_new.html", {"form": form, "owner": user}, status=400 if form.errors else 200)


def _keep(request: HttpRequest) -> HttpResponse:
    code = pasted(request.POST["code"])
    if _owner(code) is None:
        return render(request, "core/password_code.html", {"gone": True}, status=404)
    request.session[CODE_KEPT] = code
    return redirect("password_new")
