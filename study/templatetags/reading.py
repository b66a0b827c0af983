"""``{% say "read.tumour" %}``: a text of the reading pages; ``{{ 7|column:4 }}``: a number of constant length."""

from typing import Any

from django import template

from study import texts

register = template.Library()


@register.simple_tag
def say(key: str, **values: Any) -> str:
    return texts.say(key, **values)


@register.filter
def column(value: Any, width: int) -> str:
    """Padded with spaces, which a browser folds away: every page of a set has the same length."""
    return str(value).rjust(width)
