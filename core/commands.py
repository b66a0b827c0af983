"""What every command shares: one JSON document on stdout, everything else on stderr."""

import errno
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from core.errors import InvalidInput, Progress
from core.options import add_options, option_name, validated
from core.requests import Request

_OF_A_PATH = {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENOSPC}


class JsonCommand(BaseCommand):
    """A command whose ``run(**options)`` returns a dict.

    ``--json`` prints it as one document on stdout; without it, the same as aligned text. ``InvalidInput`` becomes
    an error message and a non-zero exit.
    """

    def create_parser(self, prog_name, subcommand, **kwargs):
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
        return parser

    def handle(self, *args, **options):
        as_json = options.pop("json")
        try:
            result = self.run(**options)
        except InvalidInput as error:
            raise CommandError(self.in_words(error)) from error
        except ValidationError as error:  # a model's own check
            raise CommandError(" ".join(error.messages)) from error
        except OSError as error:  # a path that was given; anything else is a fault of ours, with its traceback
            if error.errno not in _OF_A_PATH or not error.filename:
                raise
            name = str(error.filename)
            short = name if len(name) <= 200 else f"{name[:60]}… ({len(name)} letters)"
            raise CommandError(f"{short}: {error.strerror}.") from error
        self.stdout.write(json.dumps(result, indent=2, default=str) if as_json else self.as_text(result))

    def run(self, *args: Any, **options: Any) -> dict[str, Any]:  # a command names those of its own
        raise NotImplementedError

    def as_text(self, result: dict[str, Any]) -> str:
        return "\n".join(_lines(result))

    def in_words(self, error: InvalidInput) -> str:
        return str(error)

    def say(self, message: str) -> None:
        self.stderr.write(message)

    def progress(self, description: str, unit: str = "it") -> Progress:
        """A ``Progress`` that draws a bar on stderr; it closes itself at the end."""
        bar: tqdm | None = None

        def update(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = tqdm(total=total, desc=description, unit=unit, file=sys.stderr, mininterval=0.5)
            bar.total = total
            bar.update(done - bar.n)
            if done >= total:
                bar.close()
                bar = None

        return update


class RequestCommand(JsonCommand):
    """A command whose options are the fields of a ``request``; an error names the option."""

    request: type[Request]

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser, self.request)

    def settings(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as validated settings, with defaults filled in; InvalidInput names the field."""
        return validated(self.request, options)

    def in_words(self, error: InvalidInput) -> str:
        return f"{option_name(self.request, error.field)}: {error.message}" if error.field else error.message


def _lines(result: dict[str, Any], indent: str = "") -> list[str]:
    """Name and value a line, aligned; a dict's own lines under its name, rows of one kind as a table."""
    width = max((len(str(key)) for key in result), default=0)
    lines = []
    for key, value in result.items():
        inner = _lines(value, indent + "  ") if isinstance(value, dict) else []
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            inner = _table(value, indent + "  ")
        told = "" if inner else _plain(value)
        lines += [f"{indent}{key!s:<{width}}  {told}".rstrip(), *inner]
    return lines


def _table(rows: list[dict[str, Any]], indent: str) -> list[str]:
    """Rows under the names of their columns, each as wide as it must be; numbers to the right."""
    columns = list(dict.fromkeys(str(name) for row in rows for name in row))
    cells = [[_plain(row.get(name, "")) for name in columns] for row in rows]
    numbers = [
        all(isinstance(row.get(name), int | float | None) and not isinstance(row.get(name), bool) for row in rows)
        for name in columns
    ]
    widths = [max(len(text) for text in column) for column in zip(columns, *cells)]

    def line(texts: list[str]) -> str:
        placed = (
            f"{text:>{width}}" if right else f"{text:<{width}}" for text, width, right in zip(texts, widths, numbers)
        )
        return (indent + "  ".join(placed)).rstrip()

    return [line(columns), *(line(row) for row in cells)]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    return "–" if value is None else str(value)
