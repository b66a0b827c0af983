"""Lists on pages: search, filters, sorted columns and pages, the same everywhere, all of it in the address.

A page declares its columns and filters; ``templates/core/_list.html`` shows the tools, ``_headings.html`` the columns
and ``_pages.html`` the pages. What the address asks for and a list does not have is left out, never an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict

from core.texts import encodable

ROWS = 50
LONGEST = 200
"""Characters of a search."""


@dataclass(frozen=True)
class Column:
    """``field`` is what the column sorts by; a column without one cannot be sorted."""

    title: str
    field: str = ""
    number: bool = False
    css: str = ""
    key: str = ""
    """The name in the address; the field's own if empty."""

    @property
    def name(self) -> str:
        return self.key or self.field


@dataclass(frozen=True)
class Filter:
    """``choices`` are (value in the address, words); ``values`` says what a value means where it is not itself."""

    name: str
    label: str
    lookup: str
    choices: Sequence[tuple[str, str]]
    values: dict[str, Any] = field(default_factory=dict)


def yes_no(name: str, label: str, lookup: str, *, yes: str = "yes", no: str = "no") -> Filter:
    return Filter(name, label, lookup, [("yes", yes), ("no", no)], {"yes": True, "no": False})


@dataclass(frozen=True)
class Shown:
    """A list as its page shows it."""

    page: Page
    total: int
    """Rows before search and filters."""
    search: str
    searches: str
    """What is searched, in words; empty where nothing can be."""
    filters: list[dict[str, Any]]
    headings: list[dict[str, Any]]
    sort: str
    query: str
    """The address's parameters without the page, ending in ``&`` unless empty."""

    @property
    def narrowed(self) -> bool:
        return bool(self.search or any(one["chosen"] for one in self.filters))

    @property
    def count(self) -> int:
        return self.page.paginator.count

    @property
    def tools(self) -> bool:
        """Whether there is anything to search or filter: tools over three rows are only in the way."""
        return self.narrowed or (self.total > 5 and bool(self.searches or self.filters))


def listed(
    request: HttpRequest,
    rows: QuerySet,
    *,
    columns: Sequence[Column] = (),
    search: Sequence[str] = (),
    searches: str = "name",
    filters: Sequence[Filter] = (),
    order: str = "",
    per_page: int = ROWS,
) -> Shown:
    """The rows that the address asks for: ``?search=``, ``?sort=`` (falling after a minus), ``?page=`` and each filter.

    Args:
        order: the column by which rows stand where the address names none; the rows' own order if empty.
    """
    asked, total = request.GET, rows.count()
    text = asked.get("search", "").strip()[:LONGEST]
    text = text if search and encodable(text) else ""
    if text:
        any_of = Q()
        for lookup in search:
            any_of |= Q(**{f"{lookup}__icontains": text})
        rows = rows.filter(any_of)
    shown_filters = []
    for one in filters:
        chosen = asked.get(one.name, "")
        chosen = chosen if chosen in dict(one.choices) else ""
        if chosen:
            rows = rows.filter(**{one.lookup: one.values.get(chosen, chosen)})
        shown_filters.append({"name": one.name, "label": one.label, "choices": one.choices, "chosen": chosen})
    fields = {column.name: column.field for column in columns if column.field}
    sort = asked.get("sort", "")
    sort = sort if sort.removeprefix("-") in fields else order
    if sort:
        rows = rows.order_by(f"{'-' * sort.startswith('-')}{fields[sort.removeprefix('-')]}", "pk")
    elif not rows.ordered:  # pages of rows in no order may show one twice
        rows = rows.order_by("-pk")
    kept = QueryDict(mutable=True)
    kept.update({"search": text} if text else {})
    kept.update({str(one["name"]): str(one["chosen"]) for one in shown_filters if one["chosen"]})
    unsorted = f"{kept.urlencode()}&" if kept else ""
    return Shown(
        page=Paginator(rows, per_page).get_page(asked.get("page")),
        total=total,
        search=text,
        searches=searches if search else "",
        filters=shown_filters,
        headings=[_heading(column, sort, unsorted) for column in columns],
        sort=sort if sort != order else "",
        query=unsorted + (f"sort={sort}&" if sort and sort != order else ""),
    )


def _heading(column: Column, sort: str, query: str) -> dict[str, Any]:
    """``link`` sorts by the column, or the other way round where it does already."""
    name = column.name
    return {
        "title": column.title,
        "css": " ".join(filter(None, [column.css, "number" if column.number else ""])),
        "link": f"?{query}sort={'-' if sort == name else ''}{name}" if column.field else "",
        "order": {name: "ascending", f"-{name}": "descending"}.get(sort, "") if column.field else "",
    }
