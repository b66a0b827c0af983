"""The options of a command, made of the request that page and API take, too (``core.requests``)."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rest_framework import serializers

from core.requests import Request, check, default_of, fields_of

NONE = "none"
"""What is typed after an option for no value at all, such as ``--margin none``."""


def add_options(parser: argparse.ArgumentParser, request: type[Request], *, only: Iterable[str] = ()) -> None:
    """One option for each of the request's fields, or for ``only`` these."""
    fields = {name: f for name, f in fields_of(request, command=True).items() if not only or name in only}
    for name in request.positional:
        if name in fields:
            field = fields.pop(name)
            many = isinstance(field, serializers.ListField | serializers.ManyRelatedField)
            nargs = "+" if many else "?" if name in request.assumed else None
            parser.add_argument(name, metavar=name.upper(), help=_help(field), nargs=nargs)
    for name, field in fields.items():
        flags = [*([request.aliases[name]] if name in request.aliases else []), f"--{name.replace('_', '-')}"]
        parser.add_argument(*flags, dest=name, required=field.required, help=_help(field), **_option(field))


def validated(request: type[Request], options: dict[str, Any]) -> dict[str, Any]:
    """The command's options as validated settings.

    Raises:
        InvalidInput: naming the option's field.
    """
    read = {name: options.get(name) for name in fields_of(request, command=True)}
    sent = {name: None if value is _Nothing else value for name, value in read.items() if value is not None}
    return check(request, sent, command=True)


def option_name(request: type[Request], field: str) -> str:
    """``--min-gap`` for ``min_gap``; a positional argument's name in capitals; other words as they are."""
    if field not in fields_of(request, command=True):
        return field
    return field.upper() if field in request.positional else f"--{field.replace('_', '-')}"


class _Nothing:
    """No value, as opposed to an option that is not there."""


def _help(field: serializers.Field) -> str:
    told = [field.label if "label" in field._kwargs else "", field.help_text or ""]
    text = " ".join(f"{str(part).rstrip('.')}." for part in told if part).rstrip(".") or str(field.label)
    if isinstance(field, serializers.ChoiceField):
        text += f": {'; '.join(f'{value} = {label}' for value, label in field.choices.items() if value != label)}"
    if "rows" in field.style and not isinstance(field, serializers.ListField):
        text += "; @FILE reads it from a file"
    low, high = getattr(field, "min_value", None), getattr(field, "max_value", None)
    notes = [f"{low} to {high}"] if None not in (low, high) else [f"{low} or more"] if low is not None else []
    default = default_of(field)
    if isinstance(default, list):
        default = " ".join(map(str, default))
    if default not in (None, "", False) and len(str(default)) <= 40:
        notes.append(f"default: {default}")
    if field.allow_null and default is not None:
        notes.append(f"'{NONE}' for no value")
    return (f"{text} ({'; '.join(notes)})" if notes else text).replace("%", "%%").removesuffix(": ")


def _option(field: serializers.Field) -> dict[str, Any]:
    """Arguments of ``add_argument`` for an option."""
    default = default_of(field)
    match field:
        case serializers.BooleanField() if default:
            return {"action": argparse.BooleanOptionalAction, "default": default}
        case serializers.BooleanField():
            return {"action": "store_true"}
        case serializers.ListField(child=serializers.ChoiceField() as child):
            return {"action": "extend", "nargs": "*", "choices": list(child.choices)}
        case serializers.ListField(child=serializers.IntegerField()):
            return {"action": "extend", "nargs": "*", "type": int}
        case serializers.ListField() | serializers.ManyRelatedField():
            return {"action": "extend", "nargs": "*"}
        case serializers.ChoiceField():
            kind = {"type": int} if all(isinstance(one, int) for one in field.choices) else {}
            return {"choices": list(field.choices), "default": default, **kind}
        case serializers.IntegerField():
            return {"type": _or_nothing(int) if field.allow_null else int, "default": default}
        case serializers.FloatField():
            return {"type": _or_nothing(float) if field.allow_null else float, "default": default}
        case serializers.CharField() if "rows" in field.style:
            return {"type": _text_or_file, "default": default, "metavar": "TEXT"}
    return {"default": default}


def _or_nothing(number: type) -> Any:
    """Reads a number, or the word for no value."""

    def read(text: str) -> Any:
        return _Nothing if text == NONE else number(text)

    read.__name__ = number.__name__  # argparse names it in its error
    return read


def _text_or_file(text: str) -> str:
    """A text, or the content of the file named after an ``@``."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{text[1:]} cannot be read: {error}") from None
