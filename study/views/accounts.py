"""Signing in, the way home by role, and whether the house stands."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from model.version import code_version
from study import selectors


class SignIn(LoginView):
    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    http_method_names = ["post", "options"]


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Readers go to their studies; researchers and admins see every study's state and progress, without arms."""
    if selectors.is_reader(request.user):
        return redirect("reading:home")
    return render(request, "study/home.html", {"studies": selectors.studies_with_progress()})


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
