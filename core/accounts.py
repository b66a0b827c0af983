"""Signing in and out, one's own account, and tokens for programs."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from knox.models import AuthToken

from core.access import is_researcher, researcher_page
from core.second_factor import has_second_factor, wait_for_code


class SignIn(LoginView):
    """The sign-in page."""

    template_name = "core/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Who has set up a second factor is asked for it before anything else."""
        user = form.get_user()
        if has_second_factor(user):
            return wait_for_code(self.request, user, self.get_success_url())
        return super().form_valid(form)


@require_safe
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Django's admin has no sign-in page of its own: it would not ask for the second factor."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect(f"{reverse('sign_in')}?{request.GET.urlencode()}")


def admin_on_site(request: HttpRequest, rest: str) -> HttpResponse:
    """404: Django's "view on site" leads from the number of a row's kind, and no page here is found by that."""
    raise Http404(rest)


class SignOut(LogoutView):
    """Sign out, by POST."""

    http_method_names = ["post", "options"]


@require_safe
@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Your account: your name and role, and what can be changed."""
    context = {"sees_arms": is_researcher(request.user), "second_factor": has_second_factor(request.user)}
    return render(request, "core/account.html", context)


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
