"""Things side by side, one column each: what was chosen differently is marked. The same table as CSV.

A page gives for each thing its lines, (section, title, cell); ``compared`` brings them together. Only settings are
marked: two estimates always differ, and whether that means anything is no question of a list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.spreadsheet import csv_chunks
from core.texts import encodable

MOST = 6
"""Columns that can be read beside each other."""
OFFERED = 200
LONGEST = 18
"""Digits of a number that a database still knows as one."""
COLUMNS = ("section", "quantity", "of", "name", "text", "value", "low", "high", "differs")


@dataclass(frozen=True)
class Cell:
    """``text`` is for people, the numbers are for the file; ``note`` says why there is no number, or over what.

    ``at`` is a time, shown in the zone of who looks.
    """

    text: str = "–"
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    at: datetime | None = None


Line = tuple[str, str, Cell]
"""Section, title, cell."""


@dataclass(frozen=True)
class Thing:
    """One column: ``key`` names it in the address."""

    key: str
    name: str
    address: str
    badge: str = ""
    css: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    title: str
    cells: list[Cell]
    setting: bool

    @property
    def differs(self) -> bool:
        return self.setting and len({cell.text for cell in self.cells}) > 1


@dataclass(frozen=True)
class Section:
    title: str
    rows: list[Row]


def chosen(request: HttpRequest, name: str, rows: QuerySet, key: str = "pk") -> tuple[list[Any], bool]:
    """The rows that the address names, in its order, and whether it named more than are shown. Unknown ones are left
    out."""
    asked = list(dict.fromkeys(value for value in request.GET.getlist(name) if _possible(value, key)))
    found = {str(getattr(row, key)): row for row in rows.filter(**{f"{key}__in": asked[: 10 * MOST]})}
    kept = [found[value] for value in asked if value in found]
    return kept[:MOST], len(kept) > MOST


def _possible(value: str, key: str) -> bool:
    if key == "pk":
        return value.isascii() and value.isdecimal() and len(value) <= LONGEST
    return bool(value) and encodable(value)


def compared(lines: Sequence[Iterable[Line]], *, settings: Iterable[str]) -> list[Section]:
    """The lines of all things in sections, in the order in which they first appear. ``settings`` names the sections
    that hold what was chosen."""
    cells: dict[str, dict[str, list[Cell]]] = {}
    for place, own in enumerate(lines):
        for section, title, cell in own:
            row = cells.setdefault(section, {}).setdefault(title, [Cell()] * len(lines))
            row[place] = cell
    marked = set(settings)
    return [
        Section(section, [Row(title, row, section in marked) for title, row in rows.items()])
        for section, rows in cells.items()
    ]


def page(
    request: HttpRequest,
    *,
    name: str,
    things: Sequence[Thing],
    sections: Sequence[Section],
    others: Sequence[tuple[str, str]],
    too_many: bool,
    **context: Any,
) -> HttpResponse:
    """``name`` is the address's parameter; ``others`` are (key, name) of what can be added; ``context`` holds title,
    lead, back (address, words), csv (address) and empty (what to do where nothing is chosen)."""
    keys = [thing.key for thing in things]
    differences = request.GET.get("only") == "differences"

    def query(of: Sequence[str], only: bool) -> str:
        return urlencode([(name, key) for key in of] + ([("only", "differences")] if only else []))

    if differences:
        sections = [
            kept for one in sections if (kept := Section(one.title, [row for row in one.rows if _kept(row)])).rows
        ]
    taken = set(keys)
    context |= {
        "name": name,
        "columns": [
            {"thing": thing, "without": query([key for key in keys if key != thing.key], differences)}
            for thing in things
        ],
        "sections": sections,
        "others": [one for one in others if one[0] not in taken][:OFFERED] if len(things) < MOST else [],
        "too_many": too_many,
        "most": MOST,
        "query": query(keys, False),
        "only": differences,
        "toggle": query(keys, not differences),
    }
    return render(request, "core/side_by_side.html", context)


def _kept(row: Row) -> bool:
    return row.differs or not row.setting


def as_csv(filename: str, things: Sequence[Thing], sections: Sequence[Section]) -> HttpResponse:
    """One row per line and thing."""
    rows = [
        {
            "section": section.title, "quantity": row.title, "of": thing.key, "name": thing.name,
            "text": " ".join(filter(None, [cell.text, f"({cell.note})" if cell.note else ""])),
            "value": cell.value, "low": cell.low, "high": cell.high, "differs": row.differs,
        }
        for section in sections for row in section.rows for thing, cell in zip(things, row.cells)
    ]  # fmt: skip
    response = HttpResponse("".join(csv_chunks(COLUMNS, rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
