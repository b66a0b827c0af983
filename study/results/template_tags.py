"""How numbers of the analysis are written on a page."""

from typing import Any

from django import template

from study.results.exports import tables
from study.statistics.glossary import explained

register = template.Library()


@register.inclusion_tag("study/_explained.html")
def explain(*words: str) -> dict[str, Any]:
    """One line for each of these statistical words, at the place where they stand."""
    return {"words": explained(*words)}


@register.filter
def points(value: float | None) -> str:
    """0.05 -> +5.0 (percentage points); a dash where undefined."""
    return tables.points(value)


@register.filter
def size_in_points(value: float | None) -> str:
    """0.05 -> 5.0 (percentage points): a standard error has no sign."""
    return f"{100 * value:.1f}" if tables.present(value) else "–"


@register.filter
def points_interval(value: list[float] | None) -> str:
    return tables.interval(value)


@register.filter
def p(value: float | None) -> str:
    return tables.p_value(value)


@register.filter
def percent(value: float | None) -> str:
    return tables.percent(value)


@register.filter
def percent_interval(value: list[float] | None) -> str:
    return tables.percents(value)


@register.filter
def fixed(value: float | None, digits: int = 2) -> str:
    """Rounded to ``digits``; a dash where undefined or infinite."""
    return f"{value:.{digits}f}".replace("-", "−") if tables.present(value) else "–"


@register.filter
def fixed_interval(value: list[float] | None, digits: int = 2) -> str:
    return f"{fixed(value[0], digits)} to {fixed(value[1], digits)}" if tables.present(value) else "–"


@register.filter
def small(value: float | None) -> str:
    """Three significant digits, for variances and sizes of changes."""
    return f"{value:.3g}".replace("-", "−") if tables.present(value) else "–"


@register.filter
def small_interval(value: list[float] | None) -> str:
    return f"{small(value[0])} to {small(value[1])}" if tables.present(value) else "–"


@register.filter
def words(value: str | None) -> str:
    """non_inferior -> non-inferior."""
    return (value or "").replace("_", "-")


@register.filter
def of(value: dict[str, Any] | None) -> str:
    """A count {tp, n} as `17 of 20`."""
    return "–" if not value else f"{value['tp']} of {value['n']}"


@register.filter
def get(value: dict[str, Any] | None, key: str) -> Any:
    return (value or {}).get(key)
