"""The single-use link by which a reader comes in."""

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from core.errors import InvalidInput
from study.protocol.readers import InvitationGone, accept_invitation, open_invitation


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Looking at the link does not use it up (mail scanners look at links); setting the password does."""
    error = ""
    try:
        invitation = open_invitation(secret)
        if request.method == "POST":
            password, again = request.POST.get("password", ""), request.POST.get("again", "")
            user = accept_invitation(secret=secret, password=password, again=again)
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("reading:consent", slug=invitation.assignment.study.slug)
    except InvitationGone:
        return render(request, "reading/join_gone.html", status=404)
    except InvalidInput as wrong:
        error = str(wrong).partition(": ")[2]
    context = {"invitation": invitation, "error": error}
    return render(request, "reading/join.html", context, status=400 if error else 200)
