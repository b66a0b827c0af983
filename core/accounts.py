"""Signing in and out, one's own account, tokens for programs, and the health check."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from knox.models import AuthToken

from core.access import is_researcher, researcher_page
from core.version import code_version


class SignIn(LoginView):
    """The sign-in page."""

    template_name = "core/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """Sign out, by POST."""

    http_method_names = ["post", "options"]


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse({"status": "failing", "database": type(error).__name__}, status=503)
    return JsonResponse({"status": "ok", "database": connection.vendor, "version": code_version()})


@require_safe
@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Your account: your name and role, and what can be changed."""
    return render(request, "core/account.html", {"sees_arms": is_researcher(request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
@researcher_page
def token(request: HttpRequest) -> HttpResponse:
    """One token per person, shown once; a new one replaces it. Only its hash is kept."""
    tokens, shown = AuthToken.objects.filter(user=request.user), None
    if request.method == "POST":
        tokens.delete()
        if request.POST.get("what") != "new":
            messages.success(request, "The token was revoked.")
            return redirect("token")
        _, shown = AuthToken.objects.create(user=request.user)
    return render(request, "core/token.html", {"new_token": shown, "token": tokens.first()})
