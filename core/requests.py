"""A request for work, declared once: the page renders it, the API validates it, the command takes its options from it.

A request is a DRF serializer whose fields carry label, help text, limits and default. From it come ``form_class`` (the
page's form; the serializer has the last word on what was sent), the API's schema (the serializer itself), and
``add_options`` with ``validated`` (the command's). Nothing else declares a setting.
"""

import argparse
from collections.abc import Iterable
from typing import Any

from django import forms
from rest_framework import serializers
from rest_framework.fields import empty

from core.errors import InvalidInput

SEED_LIMIT = 2**32 - 1


class Request(serializers.Serializer):
    """Settings of one kind of work. Subclasses say where a field differs between page, API and command."""

    command_only: tuple[str, ...] = ()
    """Fields that a server must not take from a browser or program, such as a path to weights or a device."""
    not_in_command: tuple[str, ...] = ()
    """Fields that a command has no use for, such as an uploaded file."""
    positional: tuple[str, ...] = ()
    """Fields that the command takes without ``--``, in this order."""
    options: dict[str, tuple[str, ...]] = {}
    """Further names of a field's option, such as ``{"positives": ("--cases",)}``."""
    sections: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Titles and fields of the page's form; without them the form has no sections."""


class Named(serializers.SlugRelatedField):
    """A row by its name. A wrong name is answered with those that there are."""

    def __init__(self, slug_field: str = "name", **kwargs: Any) -> None:
        super().__init__(slug_field, **kwargs)

    def fail(self, key: str, **kwargs: Any) -> None:
        if key != "does_not_exist":
            super().fail(key, **kwargs)
        rows = self.get_queryset()
        word = rows.model._meta.verbose_name
        known = ", ".join(map(str, rows.values_list(self.slug_field, flat=True)[:20])) or "none yet"
        raise serializers.ValidationError(f"there is no {word} '{kwargs['value']}'. There are: {known}.", code=key)


def seed_field() -> serializers.IntegerField:
    """The random seed, the same everywhere."""
    return serializers.IntegerField(
        min_value=0, max_value=SEED_LIMIT, default=0, help_text="Equal seeds and settings give equal results."
    )


def public_fields(request: type[Request]) -> dict[str, serializers.Field]:
    """The fields that a page and the API have."""
    return {name: field for name, field in request().fields.items() if name not in request.command_only}


class ApiRequest:
    """Mixin for ``shape_of``: a request without the fields that only a command has."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: field for name, field in super().get_fields().items() if name not in self.command_only}  # type: ignore[misc,attr-defined]


def api_shape(request: type[Request]) -> type[Request]:
    """The request as the API takes it."""
    return type(request.__name__, (ApiRequest, request), {"__doc__": request.__doc__})


def check(request: type[Request], settings: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Validated settings with every default filled in.

    Raises:
        InvalidInput: naming the first field that is wrong.
    """
    serializer = request(data=settings, context=context)
    if not serializer.is_valid():
        raise first_error(serializer.errors)
    return dict(serializer.validated_data)


def first_error(errors: Any) -> InvalidInput:
    """The first of a serializer's errors."""
    name, messages = next(iter(errors.items()))
    field = "" if name == "non_field_errors" else name
    return InvalidInput(_flat(messages), field=field)


def _flat(messages: Any) -> str:
    if isinstance(messages, dict):
        return " ".join(_flat(message) for message in messages.values())
    if isinstance(messages, (list, tuple)):
        return " ".join(_flat(message) for message in messages)
    return str(messages)


# --- The page ---------------------------------------------------------------------------------------------------------


class RequestForm(forms.Form):
    """The form of a request. ``cleaned_data`` is what the serializer validated."""

    request: type[Request]

    def clean(self) -> dict[str, Any]:
        sent = super().clean() or {}
        if self.errors:
            return sent
        fields = public_fields(self.request)
        data = {name: _primitive(fields[name], value) for name, value in sent.items()}
        data = {name: value for name, value in data.items() if value is not empty}
        serializer = api_shape(self.request)(data=data)
        if not serializer.is_valid():
            for name, messages in serializer.errors.items():
                self.add_error(name if name in self.fields else None, _flat(messages))
            return sent
        return dict(serializer.validated_data)

    def parts(self) -> list[dict[str, Any]]:
        """The form's sections with their bound fields."""
        sections = self.request.sections or (("", tuple(self.fields)),)
        return [{"title": title, "fields": [self[name] for name in names]} for title, names in sections]


def form_class(request: type[Request], base: type[RequestForm] = RequestForm) -> type[RequestForm]:
    """A Django form with one field for each of the request's public fields."""
    fields = {name: _form_field(field) for name, field in public_fields(request).items()}
    return type(f"{request.__name__}Form", (base,), {"request": request, **fields})


def _primitive(field: serializers.Field, value: Any) -> Any:
    """What the serializer is given for a form's cleaned value; ``empty`` where nothing was chosen."""
    if isinstance(field, serializers.ManyRelatedField):
        return [getattr(row, field.child_relation.slug_field) for row in value]
    if isinstance(field, serializers.SlugRelatedField):
        return getattr(value, field.slug_field) if value else (None if field.allow_null else empty)
    if isinstance(field, serializers.ListField) and isinstance(value, str):
        return [line.strip() for line in value.splitlines() if line.strip()]
    if value is None or (value == "" and not isinstance(field, serializers.CharField)):
        return None if field.allow_null else empty
    return value


def _form_field(field: serializers.Field) -> forms.Field:
    """The Django form field that shows a serializer's field."""
    style = field.style
    default = field.default() if callable(field.default) else field.default
    kwargs: dict[str, Any] = {
        "label": field.label,
        "help_text": field.help_text or "",
        "required": field.required,
        "initial": None if default is empty else default,
    }
    match field:
        case serializers.ManyRelatedField():
            relation = field.child_relation
            return forms.ModelMultipleChoiceField(
                relation.get_queryset(),
                to_field_name=relation.slug_field,
                widget=forms.CheckboxSelectMultiple,
                **kwargs | {"required": False},
            )
        case serializers.SlugRelatedField():
            return forms.ModelChoiceField(field.get_queryset(), to_field_name=field.slug_field, **kwargs)
        case serializers.BooleanField():
            return forms.BooleanField(**kwargs | {"required": False})
        case serializers.ListField(child=serializers.ChoiceField() as child):
            choices = list(child.choices.items())
            return forms.MultipleChoiceField(
                choices=choices, widget=forms.CheckboxSelectMultiple, **kwargs | {"required": False}
            )
        case serializers.ListField():
            kwargs["initial"] = "\n".join(kwargs["initial"] or ())
            return forms.CharField(widget=forms.Textarea(attrs={"rows": style.get("rows", 3)}), **kwargs)
        case serializers.ChoiceField():
            blank = [("", style.get("empty", "–"))] if field.allow_null or field.allow_blank else []
            kwargs["required"] = field.required and not blank
            return forms.ChoiceField(choices=[*blank, *field.choices.items()], **kwargs)
        case serializers.IntegerField():
            kwargs["required"] = not field.allow_null and kwargs["required"]
            return forms.IntegerField(min_value=field.min_value, max_value=field.max_value, **kwargs)
        case serializers.FloatField():
            kwargs["required"] = not field.allow_null and kwargs["required"]
            return forms.FloatField(min_value=field.min_value, max_value=field.max_value, **kwargs)
        case serializers.FileField():
            accept = {"accept": style["accept"]} if "accept" in style else {}
            return forms.FileField(widget=forms.ClearableFileInput(attrs=accept), **kwargs)
        case serializers.EmailField():
            return forms.EmailField(**kwargs)
        case serializers.CharField():
            kwargs["required"] = field.required and not field.allow_blank
            widget = forms.Textarea(attrs={"rows": style["rows"]}) if "rows" in style else None
            return forms.CharField(max_length=field.max_length, widget=widget, **kwargs)
    raise TypeError(f"no form field is known for {type(field).__name__}")


# --- The command ------------------------------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser, request: type[Request], *, leave_out: Iterable[str] = ()) -> None:
    """One option for each field of the request; an option that is not given leaves the serializer's default."""
    left_out = {*request.not_in_command, *leave_out}
    fields = {name: field for name, field in request().fields.items() if name not in left_out}
    for name in request.positional:
        if name in fields:
            field = fields.pop(name)
            many = isinstance(field, serializers.ListField)
            parser.add_argument(name, help=_help(field), **({"nargs": "+"} if many else {}))
    for name, field in fields.items():
        flags = [f"--{name.replace('_', '-')}", *request.options.get(name, ())]
        parser.add_argument(*flags, dest=name, help=_help(field), required=field.required, **_option(field))


def validated(
    request: type[Request], options: dict[str, Any], *, leave_out: Iterable[str] = (), **context: Any
) -> dict[str, Any]:
    """The command's options as validated settings.

    Raises:
        InvalidInput: naming the option's field.
    """
    left_out = {*request.not_in_command, *leave_out}
    sent = {name: options.get(name) for name in request().fields if name not in left_out}
    data = {name: None if value == "none" else value for name, value in sent.items() if value is not None}
    settings = check(request, data, **context)
    return {name: value for name, value in settings.items() if name not in left_out}


def _help(field: serializers.Field) -> str:
    text = str(field.help_text or field.label or "").rstrip(".")
    low, high = getattr(field, "min_value", None), getattr(field, "max_value", None)
    limits = f"{low} to {high}" if None not in (low, high) else f"{low} or more" if low is not None else ""
    default = "" if field.default in (empty, None, "", False) or callable(field.default) else f"default {field.default}"
    long = isinstance(field.default, str) and len(field.default) > 40
    notes = "; ".join(note for note in (limits, "" if long else default) if note)
    return (f"{text} ({notes})" if notes else text).replace("%", "%%")


def _option(field: serializers.Field) -> dict[str, Any]:
    """Arguments of ``add_argument`` for a field that is not positional."""
    match field:
        case serializers.BooleanField():
            return {"action": argparse.BooleanOptionalAction, "default": None}
        case serializers.ListField(child=serializers.ChoiceField() as child):
            return {"action": "append", "choices": list(child.choices)}
        case serializers.ListField() | serializers.ManyRelatedField():
            return {"action": "append"}
        case serializers.ChoiceField():
            return {"choices": list(field.choices)}
        case serializers.IntegerField():
            return {"type": _or_none(int) if field.allow_null else int}
        case serializers.FloatField():
            return {"type": _or_none(float) if field.allow_null else float}
    return {}


def _or_none(number: type) -> Any:
    """Reads a number, or the word ``none``."""

    def read(text: str) -> Any:
        return text if text == "none" else number(text)

    read.__name__ = number.__name__
    return read
