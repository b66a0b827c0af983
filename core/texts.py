"""Texts that a database can hold."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\ud800-\udfff\0]")


def encodable(text: str) -> bool:
    """Whether it can be stored: JSON may hold half a character (a lone surrogate), and PostgreSQL takes no NUL."""
    return _UNSTORABLE.search(text) is None


def first_unstorable(value: Any, path: str = "") -> str | None:
    """The path of the first text in a JSON document that cannot be stored, "" for the document itself; else None."""
    waiting = [(path, value)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str) and not encodable(value):
            return where
        if isinstance(value, dict):
            for key, inner in value.items():
                if not encodable(str(key)):
                    return where
                waiting.append((f"{where}.{key}".lstrip("."), inner))
        elif isinstance(value, list):
            waiting += [(f"{where}.{number}".lstrip("."), inner) for number, inner in enumerate(value)]
    return None
