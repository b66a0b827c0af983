"""Signing in and out, and tokens for programs."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from rest_framework.authtoken.models import Token

from core.access import researcher_page
from core.models import plain_name


def name_tried(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """The name under which failed attempts to sign in are counted: one person's, however it is written."""
    name = (credentials or {}).get("username") or request.POST.get("username")
    return plain_name(str(name))[:255] if name else None  # as many as the column of attempts holds


class SignIn(LoginView):
    """The sign-in page."""

    template_name = "core/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """Sign out, by POST."""

    http_method_names = ["post", "options"]


@require_http_methods(["GET", "HEAD", "POST"])
@researcher_page
def token(request: HttpRequest) -> HttpResponse:
    """One token per person, shown once; a new one replaces it."""
    new_token = None
    if request.method == "POST":
        Token.objects.filter(user=request.user).delete()
        if request.POST.get("what") == "new":
            new_token = Token.objects.create(user=request.user)
        else:
            messages.success(request, "The token was revoked.")
            return redirect("token")
    context = {"new_token": new_token, "has_token": Token.objects.filter(user=request.user).exists()}
    return render(request, "core/token.html", context)
