"""What no browser sends and no database holds is refused before any view sees it."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

log = logging.getLogger(__name__)


class StorableRequests:
    """400 for a NUL in address, query or headers, and for a value that turns out to fit no column.

    SQLite would store both; PostgreSQL refuses, which without this would be a server error there alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        headers = (str(value) for name, value in request.META.items() if name.startswith("HTTP_"))
        if (
            "\0" in request.path
            or "%00" in request.META.get("QUERY_STRING", "")
            or any("\0" in text for text in headers)
        ):
            return _refused("A NUL character can be no part of a request.")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, DataError):
            log.warning("%s %s was refused: %s", request.method, request.path, error)
            return _refused("A number or text here is out of range.")
        return None


class ButtonsAddresses:
    """A page for who opens the address of a button, such as after signing in again; Django's answer is empty.

    What it says is the same for everybody, like that of the other errors.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and "text/html" in request.headers.get("Accept", ""):
            response.content = render_to_string("405.html").encode()
        return response


def _refused(why: Any) -> HttpResponse:
    return HttpResponse(why, status=400, content_type="text/plain; charset=utf-8")
