"""A request for work, declared once: the page renders it, the API validates it, the command takes its options from it.

A request is a DRF serializer whose fields carry label, help text, limits, choices and default. The API takes the
serializer itself; ``form_class`` makes the page's form of it, ``core.options`` the command's options.
Whatever is shown or typed, the serializer has the last word.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from django import forms
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import empty

from core.errors import InvalidInput

SEED_LIMIT = 2**32 - 1
MORE = "More settings"
"""The section of a page whose fields are folded away, because few people need them."""


class Request(serializers.Serializer):
    """Settings of one kind of work.

    ``style`` of a field says how the page shows it: ``section`` (a heading), ``rows`` (of a text area), ``empty`` (the
    words for no choice), ``accept`` (of a file), ``hidden``, ``suggested`` (filled in on the page, but no default),
    ``times`` (a share that people write in points: the page has so many times the number).
    """

    command_only: tuple[str, ...] = ()
    """Fields that a server must not take from a browser or program, such as a device, or takes from the address."""
    not_in_command: tuple[str, ...] = ()
    """Fields that a command has no use for, such as an uploaded file."""
    positional: tuple[str, ...] = ()
    """Fields that the command takes without ``--``, in this order."""
    assumed: tuple[str, ...] = ()
    """Positional fields that may be left out of the command, which finds them out by itself."""
    aliases: dict[str, str] = {}
    """Further names of a field's option, such as ``{"positives": "--cases"}``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # The schema adds "Request" to the name of whatever is sent.
        extend_schema_serializer(component_name=cls.__name__.removesuffix("Request"))(cls)

    def get_fields(self) -> dict[str, serializers.Field]:
        hidden = self.not_in_command if self.context.get("command") else self.command_only
        return {name: field for name, field in super().get_fields().items() if name not in hidden}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """A setting that does not exist here is an error: a misspelt one would silently leave its default."""
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({name: ["There is no such setting here."] for name in unknown})
        return super().to_internal_value(data)


class Named(serializers.SlugRelatedField):
    """A row by its name. A wrong name is answered with those that there are, called by ``word``."""

    def __init__(self, *, word: str, slug_field: str = "name", **kwargs: Any) -> None:
        self.word = word
        super().__init__(slug_field, **kwargs)

    def fail(self, key: str, **kwargs: Any) -> None:
        if key == "does_not_exist":
            names = list(self.get_queryset().values_list(self.slug_field, flat=True)[:20])
            there_are = f"There are: {', '.join(names)}." if names else "There is none yet."
            text = f"No {self.word} called {kwargs['value']!r}. {there_are}"
            raise serializers.ValidationError(text, code=key)
        super().fail(key, **kwargs)


class Number(serializers.FloatField):
    """A finite number: "nan" and "inf" pass every limit of a plain FloatField."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class SureRequest(Request):
    """A step that cannot be taken back, or that opens what is closed: who asks for it gives their password again."""

    password = serializers.CharField(
        max_length=200,
        trim_whitespace=False,
        label="Your password",
        help_text="Asked for again, because this cannot be undone.",
        style={"input_type": "password"},
    )


def seed_field(**kwargs: Any) -> serializers.IntegerField:
    """The random seed, the same everywhere."""
    help_text = "Equal seeds and settings give equal results."
    return serializers.IntegerField(min_value=0, max_value=SEED_LIMIT, default=0, help_text=help_text, **kwargs)


def device_field() -> serializers.CharField:
    """Where a command computes; always ``command_only``, for a server knows its own devices."""
    return serializers.CharField(
        max_length=20, allow_null=True, default=None, help_text="cpu, cuda, cuda:1 or mps. Best if left out."
    )


def fields_of(request: type[Request], *, command: bool = False) -> dict[str, serializers.Field]:
    """The fields that a page and the API have, or those that the command has."""
    return dict(request(context={"command": command}).fields)


def check(request: type[Request], settings: dict[str, Any], *, command: bool = False) -> dict[str, Any]:
    """Validated settings with every default filled in.

    Raises:
        InvalidInput: naming the first field that is wrong.
    """
    serializer = request(data=settings, context={"command": command})
    if not serializer.is_valid():
        name, messages = next(iter(serializer.errors.items()))
        raise InvalidInput(_flat(messages), field="" if name == "non_field_errors" else name)
    return dict(serializer.validated_data)


def as_json(request: type[Request], settings: dict[str, Any]) -> dict[str, Any]:
    """Validated settings as a job keeps them: rows by their names. Uploaded files are left out."""
    fields = fields_of(request) | fields_of(request, command=True)
    return {
        name: None if value is None else fields[name].to_representation(value)
        for name, value in settings.items()
        if name in fields and not isinstance(fields[name], serializers.FileField)
    }


def _flat(messages: Any) -> str:
    """All messages of a field as one text."""
    if isinstance(messages, dict):
        messages = messages.values()
    elif not isinstance(messages, (list, tuple)):
        return str(messages)
    return " ".join(_flat(message) for message in messages)


def default_of(field: serializers.Field) -> Any:
    """The field's default, None where it has none."""
    if field.default is empty:
        return None
    return field.default() if callable(field.default) else field.default


# --- The page ---------------------------------------------------------------------------------------------------------


class RequestForm(forms.Form):
    """The form of a request. Its fields only read what was sent; ``cleaned_data`` is what the serializer validated."""

    request: type[Request]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left_out: set[str] = set()
        for name, field in self.fields.items() if self.is_bound else ():
            if field.widget.value_omitted_from_data(self.data, self.files, self.add_prefix(name)):
                # Not sent at all, so the default holds; a field that was sent empty is an error where it is required.
                field.required = False
                self.left_out.add(name)

    def clean(self) -> dict[str, Any]:
        read = super().clean() or {}
        if self.errors:
            return read
        fields = fields_of(self.request)
        sent = {name: _sent(field, read.get(name)) for name, field in fields.items() if name not in self.left_out}
        serializer = self.request(data={name: value for name, value in sent.items() if value is not empty})
        if serializer.is_valid():
            return dict(serializer.validated_data)
        for name, messages in serializer.errors.items():
            self.add_error(name if name in self.fields else None, _flat(messages))
        return read

    def sections(self) -> list[dict[str, Any]]:
        """The visible fields under their headings, in the order of the request; those folded away come last."""
        sections: dict[str, list[forms.BoundField]] = {}
        for field in self.visible_fields():
            sections.setdefault(getattr(field.field, "section", ""), []).append(field)
        titles = sorted(sections, key=lambda title: title == MORE)
        return [
            {
                "title": title,
                "fields": sections[title],
                "folded": title == MORE,
                "open": any(field.errors for field in sections[title]),
            }
            for title in titles
        ]


def form_class(request: type[Request], **further: serializers.Field) -> type[RequestForm]:
    """A Django form with one field for each of the request's fields, and for ``further`` ones the page has alone."""
    fields = {name: _form_field(field) for name, field in (fields_of(request) | further).items()}
    return type(f"{request.__name__}Form", (RequestForm,), {"request": request, **fields})


def _sent(field: serializers.Field, value: Any) -> Any:
    """What the serializer is given for what the form read; ``empty`` for nothing."""
    match field:
        case serializers.ManyRelatedField():
            return [getattr(row, field.child_relation.slug_field) for row in value]
        case serializers.SlugRelatedField() if value is not None:
            return getattr(value, field.slug_field)
        case serializers.ListField() if isinstance(value, str):
            by_line = isinstance(field.child, serializers.CharField)
            parts = value.splitlines() if by_line else re.split(r"[\s,]+", value)
            return [part.strip() for part in parts if part.strip()]
    if value in (None, "") and not getattr(field, "allow_blank", False):
        return None if field.allow_null else empty
    return round(value / field.style["times"], 12) if "times" in field.style else value


def on_page(field: serializers.Field, value: Any) -> Any:
    """A value as the page shows it: a share in points, a number without needless digits."""
    if value is not None and "times" in field.style:
        value = float(value) * field.style["times"]
    return f"{value:g}" if isinstance(value, float) else value


class _RowChoice(forms.ModelChoiceField):
    """Rows in the words of the serializer's field."""

    relation: Named

    def label_from_instance(self, obj: Any) -> str:
        return self.relation.display_value(obj)


class _RowChoices(forms.ModelMultipleChoiceField):
    relation: Named
    label_from_instance = _RowChoice.label_from_instance


class _FileInput(forms.ClearableFileInput):
    """The server says that a file is missing, not the browser: one that was sent before may be kept."""

    def use_required_attribute(self, initial: Any) -> bool:
        return False


def _form_field(field: serializers.Field) -> forms.Field:
    """The Django form field that shows a serializer's field and reads what was sent."""
    may_be_empty = field.allow_null or getattr(field, "allow_blank", False)
    shown = field.style.get("suggested", default_of(field))
    made = _widget_for(
        field,
        label=field.label,
        help_text=field.help_text or "",
        required=not may_be_empty and (field.required or default_of(field) is not None),
        initial=on_page(field, shown),
    )
    if isinstance(made.widget, forms.Textarea) and isinstance(field, serializers.ListField):
        made.help_text = f"{made.help_text} One per line."
    made.section = field.style.get("section", "")  # type: ignore[attr-defined]
    if field.style.get("hidden"):
        made.widget = forms.HiddenInput()
    return made


def _widget_for(field: serializers.Field, **shared: Any) -> forms.Field:
    style = field.style
    optional = shared | {"required": False}
    match field:
        case serializers.ManyRelatedField(child_relation=relation):
            rows = _RowChoices(relation.get_queryset(), widget=forms.CheckboxSelectMultiple, **optional)
            rows.relation = relation
            return rows
        case serializers.SlugRelatedField():
            row = _RowChoice(field.get_queryset(), empty_label=style.get("empty", "---------"), **shared)
            row.relation = field
            return row
        case serializers.BooleanField():
            return forms.BooleanField(**optional)
        case serializers.ListField(child=serializers.ChoiceField() as child):
            choices = list(child.choices.items())
            return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **optional)
        case serializers.ListField(child=serializers.CharField()):
            shared |= {"initial": "\n".join(shared["initial"] or ()), "required": field.required}
            return forms.CharField(widget=forms.Textarea(attrs={"rows": style.get("rows", 3)}), **shared)
        case serializers.ListField():
            return forms.CharField(**optional | {"initial": " ".join(map(str, shared["initial"] or ()))})
        case serializers.ChoiceField():
            blank = [("", style.get("empty", "---------"))] if field.allow_null else []
            return forms.ChoiceField(choices=[*blank, *field.choices.items()], **shared)
        case serializers.IntegerField():
            return forms.IntegerField(widget=_number(field, 1), **shared)
        case serializers.FloatField():
            return forms.FloatField(widget=_number(field, "any"), **shared)
        case serializers.FileField():
            return forms.FileField(widget=_FileInput(attrs={"accept": style.get("accept", "")}), **shared)
        case serializers.DateTimeField():
            return forms.CharField(widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}), **shared)
        case serializers.EmailField():
            return forms.CharField(widget=forms.EmailInput(), **shared)
        case serializers.CharField():
            text: forms.Widget = forms.Textarea(attrs={"rows": style["rows"]}) if "rows" in style else forms.TextInput()
            if style.get("input_type") == "password":
                text = forms.PasswordInput(attrs={"autocomplete": "current-password"})
                shared |= {"strip": False}
            text.attrs |= {"maxlength": field.max_length} if field.max_length else {}
            return forms.CharField(widget=text, **shared)
    raise TypeError(f"no form field is known for {type(field).__name__}")


def _number(field: Any, step: Any) -> forms.NumberInput:
    limits = {"min": on_page(field, field.min_value), "max": on_page(field, field.max_value), "step": step}
    return forms.NumberInput(attrs={name: value for name, value in limits.items() if value is not None})
