"""``{{ 7|column:4 }}``: a number of constant length; ``{{ patch.image|sized }}``: a picture's width and height."""

from typing import Any

from django import template
from django.db.models.fields.files import FieldFile
from django.utils.html import format_html

from study.protocol.audit_log import short
from study.reading.progress import image_size

register = template.Library()


@register.filter
def column(value: Any, width: int) -> str:
    """Padded with spaces, which a browser folds away: every page of a set has the same length."""
    return str(value).rjust(width)


@register.filter
def marked(full_hash: str) -> str:
    """A hash in its short form, to be written down."""
    return short(full_hash)


@register.filter
def sized(image: FieldFile) -> str:
    """Attributes that keep a picture's place free while it loads."""
    size = image_size(image)
    return format_html(' width="{}" height="{}"', *size) if size else ""
