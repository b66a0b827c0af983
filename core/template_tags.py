"""``{{ job.created_at|instant }}``: a time, in the zone of who looks; ``{{ text|instants }}``: every time of a text.

``{{ attack.norm|norm }}``: L∞; ``{{ change|heading }}``: JPEG.

``{% languages as choices %}``: all of them.
"""

import re
from datetime import UTC, datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import mark_safe

from core import texts
from core.measures import named

register = template.Library()

STAMP = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d| UTC))")
"""A time with its zone, as logs and messages write it."""


@register.filter
def instant(value: Any, to: str = "minutes") -> Any:
    """A time in UTC, to the minute or to the second; a script then shows it in the browser's own zone.

    Texts such as logs keep are times, too, if they name their zone. Anything else stays as it is.
    """
    if isinstance(value, str):
        value = _read(value)
    if not isinstance(value, datetime):
        return value
    utc, seconds = value.astimezone(UTC), to == "seconds"
    return format_html(
        '<time datetime="{}"{}>{} UTC</time>',
        utc.isoformat(timespec=to), mark_safe(" data-seconds") if seconds else "",
        f"{utc:%Y-%m-%d %H:%M:%S}" if seconds else f"{utc:%Y-%m-%d %H:%M}",
    )  # fmt: skip


@register.filter
def norm(value: str) -> str:
    """linf -> L∞: a norm as papers write it. Anything else stays as it is."""
    return named(value)


@register.filter
def signed(value: float | None, digits: int = 3) -> str:
    """A difference: +0.250, −0.100, 0.000; a dash where there is none."""
    return "–" if value is None else texts.signed(value, digits)


@register.filter
def heading(name: str) -> str:
    """jpeg -> JPEG, stain -> Stain."""
    return texts.heading(name)


def _read(text: str) -> Any:
    """The time that a text is; the text itself where it is none, or names no zone."""
    try:
        read = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        return text
    return read if read.tzinfo else text


@register.filter
def instants(text: Any, to: str = "minutes") -> Any:
    """A text in which every time is shown as ``instant`` shows it."""
    parts = STAMP.split(conditional_escape(text))  # a time holds nothing that is escaped
    shown = [instant(part, to) if place % 2 else mark_safe(part) for place, part in enumerate(parts)]
    return format_html_join("", "{}", ((part,) for part in shown))


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """Every language of readers' pages with its own name."""
    return list(settings.LANGUAGES)
