"""What all API views share: lists and rows, errors, the served documentation."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import ProtectedError
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import exceptions, mixins, viewsets
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import exception_handler

from core.errors import InvalidInput, NotYet


class Conflict(exceptions.APIException):
    status_code = 409
    default_code = "conflict"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """``InvalidInput`` becomes a 400 that names its field, if it has one; ``NotYet`` becomes a 409."""
    if isinstance(error, NotYet):
        error = Conflict(str(error))
    elif isinstance(error, InvalidInput):
        error = exceptions.ValidationError({error.field or "detail": [error.message]})
    elif isinstance(error, ProtectedError):
        error = Conflict("It is still in use by something else.")
    elif isinstance(error, ValidationError):
        fields = error.message_dict if hasattr(error, "error_dict") else {"detail": error.messages}
        error = exceptions.ValidationError(fields)
    elif isinstance(error, (OverflowError, UnicodeError)):
        error = exceptions.ValidationError({"detail": ["A number or text here is out of range."]})
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    return exception_handler(error, context)


class Rows(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Lists and single rows; ``validated`` reads a request's body."""

    lookup_value_regex = "[0-9]{1,18}"

    def validated(self, shape: type[BaseSerializer]) -> dict[str, Any]:
        body = shape(data=self.request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        return body.validated_data


class ApiDocs(SpectacularSwaggerSplitView):
    """The API's documentation: Swagger UI without inline script or style, as the CSP demands."""

    template_name = "core/api.html"
