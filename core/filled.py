"""A request's form, filled in with settings as a job keeps them."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from core.requests import Request, fields_of, on_page


def initial_of(request: type[Request], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a form shows for settings as a job keeps them: rows by their names are looked up, lists become lines."""
    fields = fields_of(request)
    return {name: _initial(fields[name], value) for name, value in settings.items() if name in fields}


def _initial(field: serializers.Field, value: Any) -> Any:
    match field:
        case serializers.ManyRelatedField(child_relation=relation):
            rows = relation.get_queryset().filter(**{f"{relation.slug_field}__in": value or []})
            return list(rows.values_list("pk", flat=True))
        case serializers.SlugRelatedField():
            row = field.get_queryset().filter(**{field.slug_field: value}).first() if value else None
            return row and row.pk
        case serializers.ListField(child=serializers.ChoiceField()):
            return list(value or ())
        case serializers.ListField(child=serializers.CharField()):
            return "\n".join(map(str, value or ()))
        case serializers.ListField():
            return " ".join(map(str, value or ()))
    return on_page(field, value)
