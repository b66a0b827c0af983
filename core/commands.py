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
from core.requests import Request, add_options, option_name, validated

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
        width = max((len(key) for key in result), default=0)
        return "\n".join(f"{key:<{width}}  {_plain(value)}" for key, value in result.items())

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


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return str(value)
