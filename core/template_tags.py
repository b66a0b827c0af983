"""``{{ job.created_at|instant }}``: a time, in the zone of who looks; ``{{ attack.norm|norm }}``: L∞."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import mark_safe

register = template.Library()


@register.filter
def instant(value: Any, to: str = "minutes") -> Any:
    """A time in UTC, to the minute or to the second; a script then shows it in the browser's own zone.

    Anything else stays as it is.
    """
    if not isinstance(value, datetime):
        return value
    utc, seconds = value.astimezone(UTC), to == "seconds"
    return format_html(
        '<time datetime="{}"{}>{} UTC</time>',
        utc.isoformat(timespec=to), mark_safe(" data-seconds") if seconds else "",
        f"{utc:%Y-%m-%d %H:%M:%S}" if seconds else f"{utc:%Y-%m-%d %H:%M}",
    )  # fmt: skip


NORMS = {"l0": "L0", "l1": "L1", "l1-rescaled": "L1 (rescaled)", "l2": "L2", "linf": "L∞", "none": "no limit"}


@register.filter
def norm(value: str) -> str:
    """linf -> L∞: a norm as papers write it. Anything else stays as it is."""
    return NORMS.get(value, value)


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """Every language of readers' pages with its own name."""
    return list(settings.LANGUAGES)
