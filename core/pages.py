"""What pages share: errors beside their fields, settings in words, stored images."""

import logging
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from core.errors import InvalidInput
from core.images import read_bytes
from core.measures import named

log = logging.getLogger(__name__)

form_methods = require_http_methods(["GET", "HEAD", "POST"])
"""The methods of a page with a form."""


def actor(request: HttpRequest) -> str:
    """The name under which something is logged."""
    full_name = request.user.get_full_name() if request.user.is_authenticated else ""
    return full_name or request.user.get_username()


def show_error(form: forms.Form, error: InvalidInput) -> None:
    """Show the error beside its field if the form has that field, else above the form."""
    field = error.field if error.field in form.fields else None
    text = error.message if field else str(error)
    form.add_error(field, text[:1].upper() + text[1:])


def in_words(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as a person reads them: nested ones in rows of their own, empty ones left out."""
    words: dict[str, str] = {}
    for name, value in settings.items():
        name = str(name).replace("_", " ")
        if isinstance(value, dict):
            words |= {f"{name}: {inner}": text for inner, text in in_words(value).items()}
        elif value not in (None, "", [], ()):
            words[name] = _norms(value) if name in ("norm", "norms") else _in_words(value)
    return words


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else str(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(_in_words(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{name} {text}" for name, text in in_words(value).items())
    return str(value)


def _norms(value: Any) -> str:
    return ", ".join(named(str(one)) for one in (value if isinstance(value, list | tuple) else [value]))


def image_response(name: str | None, sha256: str) -> HttpResponse:
    """A stored image, which a browser may cache because its bytes never change.

    A missing or changed file gives 404 and a line in the log.
    """
    try:
        content = read_bytes(name, sha256=sha256)
    except InvalidInput as error:
        log.error("an image is not shown: %s", error)
        raise Http404 from None
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return HttpResponse(content, content_type="image/png", headers=headers)
