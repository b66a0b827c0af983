"""The language of a page: that which its reader chose, else that of their invitation, else their browser's.

The dashboard and the API are English.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST
from django.views.i18n import set_language
from rest_framework import serializers

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
    return own_language(request) or translation.get_language_from_request(request)


def own_language(request: HttpRequest) -> str:
    """The language of the person who is signed in; "" where none is known, and where this browser chose another one."""
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES or not request.user.is_authenticated:
        return ""
    return request.user.language if known(request.user.language) else ""


def known(language: str) -> bool:
    return language in dict(settings.LANGUAGES)


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """The language that a reader chooses, kept in a cookie and with the account; back to the page that they were on."""
    chosen = request.POST.get("language", "")
    if request.user.is_authenticated and known(chosen):
        request.user.language = chosen
        request.user.save(update_fields=["language"])
    return set_language(request)


class LanguageField(serializers.ChoiceField):
    """One of the languages of readers' pages, also as people write them: ``DE``, ``en``, ``zh-CN``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=settings.LANGUAGES, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        try:
            return translation.get_supported_language_variant(str(data).strip().lower().replace("_", "-"))
        except (LookupError, ValueError):  # unknown; longer than any language's name
            said = f"'{str(data)[:40]}' is none of {', '.join(dict(settings.LANGUAGES))}."
            raise serializers.ValidationError(said) from None


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
