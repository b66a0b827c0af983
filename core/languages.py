"""The language of a page: that which its reader chose, else their browser's; the dashboard and the API are English."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from core.access import is_researcher

ALWAYS = ("/reading/", "/preview/")
"""Pages that are shown in the chosen language to everybody: to readers, and to those who look what readers see."""
NEVER = ("/api/", "/admin/", "/healthz", "/static/")


def language_of(request: HttpRequest) -> str:
    """The language in which this request is answered."""
    if request.path.startswith(NEVER):
        return settings.LANGUAGE_CODE
    if not request.path.startswith(ALWAYS) and is_researcher(request.user):
        return settings.LANGUAGE_CODE
    return translation.get_language_from_request(request)


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """The language that a reader chooses, kept in a cookie; back to the page that they were on."""
    return set_language(request)


class ReadersLanguage:
    """Django's LocaleMiddleware for the pages of readers and of visitors who have not signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        language = language_of(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        if not request.path.startswith(NEVER):
            patch_vary_headers(response, ("Accept-Language",))
            response.headers.setdefault("Content-Language", language)
        return response
