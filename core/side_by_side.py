"""Things side by side, one column each: what was chosen differently is marked. The same table as CSV.

A ``SideBySide`` gives for each thing its lines, (section, title, cell); ``compared`` brings them together. Only
settings are marked: two estimates always differ, and whether that means anything is no question of a list.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from core.spreadsheet import BYTE_ORDER_MARK, csv_chunks
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


@dataclass(frozen=True)
class SideBySide:
    """Things of one kind beside each other: ``page`` and ``table`` answer a request that names them.

    ``name`` is the address's parameter, ``key`` the column that it holds. ``rows(request)`` are those that may be seen,
    ``offered(request)`` the (key, name) of what can be added. ``settings`` names the sections that hold what was
    chosen. ``words`` are title, lead, back (address's name, words), csv (address's name), empty (what to do where
    nothing is chosen), and whatever else the page's template shows.
    """

    name: str
    rows: Callable[[HttpRequest], QuerySet]
    offered: Callable[[HttpRequest], Iterable[tuple[Any, str]]]
    thing: Callable[[Any], Thing]
    lines: Callable[[Any], Iterable[Line]]
    settings: Sequence[str]
    filename: str
    words: dict[str, Any]
    key: str = "pk"

    def chosen(self, request: HttpRequest) -> tuple[list[Any], bool]:
        """The rows that the address names, in its order, and whether it named more than are shown. Unknown ones are
        left out."""
        asked = list(dict.fromkeys(value for value in request.GET.getlist(self.name) if _possible(value, self.key)))
        rows = self.rows(request).filter(**{f"{self.key}__in": asked[: 10 * MOST]})
        found = {str(getattr(row, self.key)): row for row in rows}
        kept = [found[value] for value in asked if value in found]
        return kept[:MOST], len(kept) > MOST

    def _sections(self, rows: Sequence[Any]) -> list[Section]:
        return compared([self.lines(row) for row in rows], settings=self.settings)

    def page(self, request: HttpRequest) -> HttpResponse:
        rows, too_many = self.chosen(request)
        things, sections = [self.thing(row) for row in rows], self._sections(rows)
        keys = [thing.key for thing in things]
        differences = request.GET.get("only") == "differences"

        def query(of: Sequence[str], only: bool) -> str:
            return urlencode([(self.name, key) for key in of] + ([("only", "differences")] if only else []))

        if differences:
            shorter = [Section(one.title, [row for row in one.rows if _kept(row)]) for one in sections]
            sections = [one for one in shorter if one.rows]
        others = [(str(key), name) for key, name in self.offered(request) if str(key) not in keys]
        context = {
            **self.words,
            "back": (reverse(self.words["back"][0]), self.words["back"][1]),
            "csv": reverse(self.words["csv"]),
            "name": self.name,
            "columns": [
                {"thing": thing, "without": query([key for key in keys if key != thing.key], differences)}
                for thing in things
            ],
            "sections": sections,
            "others": others[:OFFERED] if len(things) < MOST else [],
            "too_many": too_many,
            "most": MOST,
            "query": query(keys, False),
            "only": differences,
            "toggle": query(keys, not differences),
        }
        return render(request, "core/side_by_side.html", context)

    def table(self, request: HttpRequest) -> HttpResponse:
        """The same as CSV: one row per line and thing."""
        rows, _ = self.chosen(request)
        things = [self.thing(row) for row in rows]
        lines = [
            {
                "section": section.title, "quantity": row.title, "of": thing.key, "name": thing.name,
                "text": " ".join(filter(None, [cell.text, f"({cell.note})" if cell.note else ""])),
                "value": cell.value, "low": cell.low, "high": cell.high, "differs": row.differs,
            }
            for section in self._sections(rows) for row in section.rows for thing, cell in zip(things, row.cells)
        ]  # fmt: skip
        response = HttpResponse(
            BYTE_ORDER_MARK + "".join(csv_chunks(COLUMNS, lines, for_people=True)),
            content_type="text/csv; charset=utf-8",
        )
        response["Content-Disposition"] = f'attachment; filename="{self.filename}"'
        return response


def _kept(row: Row) -> bool:
    return row.differs or not row.setting
