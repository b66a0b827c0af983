#!/usr/bin/env python
"""Blindspot's command line."""

import codecs
import os
import sys

PLAIN = {"−": "-", "–": "-", "…": "...", "≤": "<=", "≥": ">=", "×": "x", "“": '"', "”": '"', "’": "'", "²": "^2"}


def in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """What a terminal or file without UTF-8 cannot show: a minus stays a minus, a letter becomes its escape."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter) or ascii(letter)[1:-1] for letter in missing), error.end


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    codecs.register_error("plain", in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="plain")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
