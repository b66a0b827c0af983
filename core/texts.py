"""Texts that a database can hold, and names as parts of an address."""

import hashlib
import re
import unicodedata
from typing import Any

from django.utils.text import slugify

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


def heading(name: str) -> str:
    """A word of the program as a heading: "stain" -> "Stain", "jpeg" -> "JPEG"."""
    return name.upper() if name == "jpeg" else name[:1].upper() + name[1:]


def signed(number: float, digits: int) -> str:
    """A difference with its sign, which a difference of nothing has not: "+0.250", "−0.100", "0.000"."""
    text = f"{number:+z.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("+")


def slug_of(name: str, *, word: str, length: int = 60) -> str:
    """``name`` as a part of an address: "Blut & Brust" -> "blut-brust"; "" if it has neither letter nor digit.

    An address has Latin letters and digits only. Where the name has others, or is longer, a short hash of it follows,
    so that two names do not share an address for what was left out: "\u80ba 2024" -> "2024-5c4f9e".
    """
    plain = slugify(name)
    letters = [letter for letter in unicodedata.normalize("NFKD", name) if letter.isalnum()]
    if not letters:
        return ""
    if all(letter.isascii() for letter in letters) and len(plain) <= length:
        return plain
    short = hashlib.sha256(unicodedata.normalize("NFKC", name).casefold().encode()).hexdigest()[:6]
    return f"{plain[: length - 7].rstrip('-') or word}-{short}"
