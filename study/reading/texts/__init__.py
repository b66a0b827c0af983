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


def minutes(seconds: float) -> str:
    """About how many minutes, as a text."""
    number = max(1, round(seconds / 60))
    return say("read.unit_minute") if number == 1 else say("read.unit_minutes", number=number)


def pause(hours: float) -> str:
    """A wash-out, as a text: days where it is whole days."""
    if hours >= 48 and hours % 24 == 0:
        return say("read.unit_days", days=int(hours // 24))
    return say("read.unit_hours", hours=f"{hours:g}")
