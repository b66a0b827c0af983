"""Every text of the reading pages, in one place: ``en.json``. A translation is a second file with the same keys."""

import functools
import json
from pathlib import Path
from typing import Any

from django.conf import settings

FOLDER = Path(__file__).parent
FALLBACK = "en"


@functools.cache
def _load(language: str) -> dict[str, dict[str, str]]:
    return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))


def language() -> str:
    """The pages' language: that of the settings where there is a file for it, else English."""
    wanted = settings.LANGUAGE_CODE.split("-")[0]
    return wanted if (FOLDER / f"{wanted}.json").exists() else FALLBACK


def section(name: str) -> dict[str, str]:
    """All texts of a section; a text that a translation lacks is English."""
    return _load(FALLBACK)[name] | _load(language()).get(name, {})


def say(key: str, **values: Any) -> str:
    """The text ``section.name`` with its places filled in.

    Raises:
        KeyError: there is no such text, or a place in it is not given.
    """
    name, text = key.split(".")
    return section(name)[text].format(**values)
