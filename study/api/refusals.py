"""How a refusal reads."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core.errors import BadInput
from study import selectors


class Conflict(exceptions.APIException):
    status_code = 409
    default_code = "conflict"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """``BadInput`` is a 400 that names its field where it can; blinded results are a 409."""
    if isinstance(error, selectors.StillBlinded):
        error = Conflict(str(error))
    elif isinstance(error, BadInput):
        field, _, rest = str(error).partition(": ")
        named = bool(rest) and field.isidentifier()
        error = exceptions.ValidationError({field: [rest]} if named else {"detail": [str(error)]})
    elif isinstance(error, ProtectedError):
        error = Conflict("Something else still needs it.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    return exception_handler(error, context)
