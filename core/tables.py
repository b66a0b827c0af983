"""A folder's table, ``labels.csv`` or ``pairs.csv``, as spreadsheets of any country save it; and the files it names.

Commas, semicolons or tabs; quotes; UTF-8 with or without a mark, UTF-16 with one; Excel's first line ``sep=;``; empty
columns at the end. Every problem becomes InvalidInput naming table and line.
"""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from core.errors import InvalidInput

MAX_BYTES, MAX_ROWS = 32_000_000, 500_000
"""Of a table: one row names a file, and no archive may hold more files."""
LISTED = 20
"""Problems named in one message."""

_NO_GROUP = {
    "na",
    "n/a",
    "n.a.",
    "#n/a",
    "nan",
    "<na>",
    "none",
    "null",
    "nil",
    "-",
    "--",
    ".",
    "?",
    "unknown",
    "missing",
}
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\r?\n?$', re.IGNORECASE)


def listed(table: Path, problems: dict[int, str]) -> InvalidInput:
    """One error that names the first problems by their lines, in order, and counts the rest."""
    lines = [f"line {line}: {text}" for line, text in sorted(problems.items())]
    more = f"\n… and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return InvalidInput(f"{table}, " + "\n".join(lines[:LISTED]) + more)


def no_group(value: str) -> bool:
    """Whether this stands for an unknown slide or patient: as a name it would make one slide of all that have none."""
    return value.casefold() in _NO_GROUP


def body_of(text: str) -> tuple[str, str, int]:
    """The table without Excel's first line ``sep=;``, what separates its cells, and how many lines were taken off."""
    first = text.splitlines(keepends=True)[:1] or [""]
    told = _SEPARATOR_LINE.match(first[0])
    if told:
        return text[len(first[0]) :], told.group(1), 1
    return text, _delimiter(first[0]), 0


def encoding_of(data: bytes) -> str:
    """UTF-16 where a mark says so (Excel's "Unicode text"), else UTF-8 with or without a mark."""
    return "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def decimal(text: str) -> float:
    """A number with a decimal point, or with a decimal comma; ValueError if it is neither."""
    return float(text.replace(",", ".") if re.fullmatch(r"[-+]?\d*,\d+", text) else text)


@dataclass
class Table:
    """The table's ``columns`` (lower case, without surrounding spaces) and its rows, each with its line from 1."""

    path: Path
    needed: tuple[str, ...]
    columns: list[str] = field(init=False)

    def __post_init__(self) -> None:
        if not self.path.parent.is_dir():
            raise InvalidInput(f"{self.path.parent}: no such folder.")
        if not self.path.is_file():
            columns = ",".join(self.needed)
            raise InvalidInput(f"{self.path}: no such file. The folder needs a table with the columns {columns}.")
        body, delimiter, self._skipped = body_of(_text(self.path))
        self._reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
        try:
            header = next(self._reader, [])
        except csv.Error as error:
            raise self._broken(error) from error
        self.columns = [name.strip().lower() for name in header]
        while self.columns and not self.columns[-1]:
            self.columns.pop()  # a spreadsheet's empty column at the end
        for name in self.needed:
            if self.columns.count(name) != 1:
                what = "is missing" if name not in self.columns else "stands there twice"
                found = ", ".join(column or "(no name)" for column in self.columns) or "nothing"
                raise InvalidInput(f"{self.path}, line {self.line}: column {name!r} {what}; found: {found}.")

    @property
    def line(self) -> int:
        return self._reader.line_num + self._skipped

    def rows(self) -> Iterator[tuple[int, dict[str, str] | None]]:
        """Line and cells of each row; None in place of cells that are more or fewer than the header's columns.

        Blank lines are left out, and so are empty cells beyond the last column.
        """
        width = len(self.columns)
        begun = self.line + 1
        try:
            for number, cells in enumerate(self._reader, start=1):
                begun = self.line + 1
                if number > MAX_ROWS:
                    raise InvalidInput(f"{self.path} has more than {MAX_ROWS:,} rows; divide the folder.")
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
                    cells = cells[:width]
                fits = len(cells) == width
                yield self.line, {k: v.strip() for k, v in zip(self.columns, cells, strict=True)} if fits else None
        except csv.Error as error:
            raise self._broken(error, begun) from error

    def _broken(self, error: csv.Error, begun: int = 1) -> InvalidInput:
        """An open quote takes in all lines after it: the row that has it is named, not the file's last one."""
        endless = "field larger" in str(error) or "unexpected end" in str(error)
        why = "a quote is opened and never closed" if endless else str(error)
        return InvalidInput(f"{self.path}, line {begun}: not a CSV table ({why}).")


@dataclass
class Files:
    """The files of a folder by the names that a table gives them.

    A name is looked up as it stands, else in the other Unicode form (macOS takes letters with marks apart), else
    without regard to capitals where that is one file only (as on Windows).
    """

    folder: Path

    def find(self, name: str) -> Path:
        """Raises InvalidInput saying what is wrong with the name, without the name itself."""
        try:
            path = (self._root / name).resolve()
            inside = path.is_relative_to(self._root)
            there = path.is_file() if inside else False
        except (OSError, ValueError):  # a name that is too long, or holds a NUL
            raise InvalidInput("no such file.", field=_short(name)) from None
        if not inside:
            raise InvalidInput(f"{_short(name)} lies outside the folder. Put the image into it.")
        if there:
            return path
        wanted = str(PurePosixPath(name))
        for form in (_composed, _caseless):
            found = self._by_form[form].get(form(wanted), [])
            if len(found) == 1:
                return found[0]
        raise InvalidInput("no such file.", field=_short(name))

    @cached_property
    def _root(self) -> Path:
        return self.folder.resolve()

    @cached_property
    def _by_form(self) -> dict:
        found: dict = {_composed: {}, _caseless: {}}
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = Path(folder) / name
                for form, known in found.items():
                    known.setdefault(form(path.relative_to(self._root).as_posix()), []).append(path)
        return found


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _caseless(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _short(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:60]}… ({len(name)} letters)"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{path} has more than {MAX_BYTES / 1e6:.0f} MB; a table of files is never so large.")
    try:
        text = data.decode(encoding_of(data))
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as CSV UTF-8."
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InvalidInput(f"{path}, line {line}: a NUL character, which no text has. Save it as CSV UTF-8.")
    return text


def _delimiter(header: str) -> str:
    """What separates the header's names: the commonest of comma, semicolon and tab outside quotes."""
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    return max(",;\t", key=bare.count)
