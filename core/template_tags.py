"""``{{ job.created_at|instant }}``: a time, in the zone of who looks; ``{% languages as choices %}``: all of them."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils.html import format_html

register = template.Library()


@register.filter
def instant(value: Any) -> Any:
    """A time in UTC; a script then shows it in the browser's own zone. Anything else as it is."""
    if not isinstance(value, datetime):
        return value
    utc = value.astimezone(UTC)
    return format_html('<time datetime="{}">{} UTC</time>', utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M}")


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """Every language of readers' pages with its own name."""
    return list(settings.LANGUAGES)
