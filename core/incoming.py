"""How the API reads what programs send: lists in parts, and JSON that can be stored.

Apart from ``core.api``, because REST framework loads these while its own views are being loaded.
"""

from typing import Any

from rest_framework import exceptions
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from core.texts import encodable, first_unstorable

LARGEST = 10**9
"""Of a list's limit and offset: no list is so long, and larger numbers fit no database."""


class Pages(LimitOffsetPagination):
    """A part of a list; a number out of range is an error."""

    def get_limit(self, request: Request) -> int | None:
        return _in_range("limit", super().get_limit(request))

    def get_offset(self, request: Request) -> int:
        return _in_range("offset", super().get_offset(request)) or 0


def _in_range(name: str, value: int | None) -> int | None:
    if value is not None and value > LARGEST:
        raise exceptions.ValidationError({name: [f"at most {LARGEST}."]})
    return value


class StorableJSON(JSONParser):
    """JSON whose texts a database can hold."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            document = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("The document is nested too deeply.") from None
        where = first_unstorable(document)
        if where is not None:
            field = where if encodable(where) else ""
            raise exceptions.ParseError(f"{field or 'The document'}: half a character, or a NUL, cannot be stored.")
        return document
