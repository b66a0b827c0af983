"""Logs for programs, by LOG_FORMAT=json: one JSON object a line, with the id of the request that it is about.

Neither query nor body is logged, and no address holds a secret.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse
from pythonjsonlogger.json import JsonFormatter

log = logging.getLogger("blindspot.requests")
HEADER = "X-Request-ID"
current_id: ContextVar[str] = ContextVar("request_id", default="")


class Formatter(JsonFormatter):
    """Time (UTC), level, logger, message and request id; whatever a call adds as ``extra``."""

    converter = time.gmtime  # type: ignore[assignment]

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        super().__init__(
            "{asctime}{levelname}{name}{message}", style="{", datefmt="%Y-%m-%dT%H:%M:%SZ", rename_fields=names
        )

    def add_fields(self, log_data: dict, record: logging.LogRecord, message_dict: dict) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data.pop("request", None)  # Django adds the request itself, which says nothing as text
        if request_id := current_id.get():
            log_data["request_id"] = request_id


class RequestIds:
    """Each request gets a random id of 32 letters, in its answer's header and in every line that is logged meanwhile.

    One that a proxy has given is kept if it looks the same, so that its log and ours can be put side by side. Ids are
    of one length, and say nothing about an answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id, started = _id_of(request), time.perf_counter()
        token = current_id.set(request_id)
        try:
            response = self.get_response(request)
            seconds = time.perf_counter() - started
            told = {"method": request.method, "path": request.path, "status": response.status_code}
            log.info("answered", extra=told | {"ms": round(1000 * seconds, 1), "user": _user_of(request)})
        finally:
            current_id.reset(token)
        response.headers[HEADER] = request_id
        return response


def _id_of(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if re.fullmatch(r"[0-9a-f]{32}", given) else uuid.uuid4().hex


def _user_of(request: HttpRequest) -> int | None:
    """The person's number, not their name: who reads logs need not know who reads a study."""
    user = getattr(request, "_cached_user", None)  # asking for request.user would read the session
    return user.pk if user is not None else None
