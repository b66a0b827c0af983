"""A folder of images with a ``labels.csv``: ``file,tumour`` and, where known, ``slide`` or ``group``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.errors import InvalidInput
from core.tables import Files, Table, listed, no_group
from model.learning.patches import Patch, centre, check_size, content_sha256
from model.learning.pictures import Picture, read_image, read_picture

__all__ = ["LABELS", "PatchFolder", "Row", "Summary", "read_image"]

LABELS = "labels.csv"
LONGEST = 255
"""Characters of a patch's name and group."""


@dataclass(frozen=True)
class Row:
    """One checked line of ``labels.csv``; ``line`` counts from 1, the header's."""

    line: int
    name: str
    path: Path
    tumour: bool
    group: str


@dataclass
class Summary:
    """What was read. ``colours_converted`` counts images with a colour profile other than sRGB, ``profiles_ignored``
    those whose profile cannot be used; both, and ``left_out``, are told where there are any."""

    positives: int = 0
    negatives: int = 0
    groups: int = 0
    colours_converted: int = 0
    profiles_ignored: int = 0
    left_out: int = 0

    def as_dict(self) -> dict[str, int]:
        always = ("positives", "negatives", "groups")
        return {name: count for name, count in asdict(self).items() if count or name in always}


class PatchFolder:
    """The labelled images of a folder, cropped centrally to ``size`` x ``size`` pixels.

    The whole table is checked on construction; the images while iterating, one in memory at a time. Extra columns are
    ignored. With both ``group`` and ``slide`` the ``group`` counts: it is what train and test are kept apart by.

    Raises InvalidInput naming file and line for: a missing or unreadable table or image, a missing column, a label
    that is not 0 or 1, a slide that is empty or only says that it is unknown, a path that leaves the folder, a file
    named twice, two files with the same pixels, an image smaller than ``size`` or not of 8 bits, a class without
    patches. The first twenty lines that are wrong are named together. With ``skip_bad`` these lines are left out
    instead, and ``left_out`` says why each is.
    """

    def __init__(self, folder: str | Path, *, size: int = 224, skip_bad: bool = False) -> None:
        check_size(size)
        self.folder = Path(folder)
        self.size = size
        self.skip_bad = skip_bad
        self.rows, problems = _read_table(self.folder)
        if problems and not skip_bad:
            raise listed(self._table, problems | self._bad_images())
        if skip_bad:
            problems |= self._bad_images()
            self.rows = [row for row in self.rows if row.line not in problems]
        _check_classes(self._table, self.rows)
        self.left_out = [f"line {line}: {text}" for line, text in sorted(problems.items())]
        self.summary = Summary()

    @property
    def _table(self) -> Path:
        return self.folder / LABELS

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Patch]:
        self.summary = Summary(groups=len({row.group for row in self.rows} - {""}), left_out=len(self.left_out))
        seen: dict[str, Row] = {}
        for row in self.rows:
            try:
                picture = self._picture(row)
                _refuse_twin(seen, row, picture)
            except InvalidInput:
                raise listed(self._table, self._bad_images()) from None  # all of them at once
            if row.tumour:
                self.summary.positives += 1
            else:
                self.summary.negatives += 1
            self.summary.colours_converted += bool(picture.profile) and picture.usable
            self.summary.profiles_ignored += not picture.usable
            yield Patch(name=row.name, pixels=picture.pixels, tumour=row.tumour, group=row.group)

    def _bad_images(self) -> dict[int, str]:
        """What is wrong with the rows' images, by line. Of equal images with different labels both are wrong."""
        problems: dict[int, str] = {}
        seen: dict[str, Row] = {}
        for row in self.rows:
            try:
                picture = self._picture(row)
                _refuse_twin(seen, row, picture)
            except InvalidInput as error:
                problems[row.line] = str(error)
                twin = getattr(error, "twin", None)
                if self.skip_bad and twin is not None and twin.tumour != row.tumour:
                    problems[twin.line] = f"{twin.name} shows the same pixels as {row.name} with another label."
        return problems

    def _picture(self, row: Row) -> Picture:
        try:
            picture = read_picture(row.path)
        except InvalidInput as error:
            raise InvalidInput(f"{row.name} {error}") from error
        height, width = picture.pixels.shape[:2]
        if min(height, width) < self.size:
            raise InvalidInput(
                f"{row.name} is {width} x {height} pixels, smaller than {self.size} x {self.size}. "
                f"Take the row out or import with a smaller --size."
            )
        return Picture(np.ascontiguousarray(centre(picture.pixels, self.size)), picture.profile, picture.usable)


class _Twin(InvalidInput):
    """An image that came before under another name."""

    def __init__(self, message: str, twin: Row) -> None:
        super().__init__(message)
        self.twin = twin


def _refuse_twin(seen: dict[str, Row], row: Row, picture: Picture) -> None:
    other = seen.setdefault(content_sha256(picture.pixels), row)
    if other is not row:
        raise _Twin(
            f"{row.name} shows the same pixels as {other.name} (line {other.line}). Keep one of the two rows.", other
        )


def _read_table(folder: Path) -> tuple[list[Row], dict[int, str]]:
    """The rows of ``folder/labels.csv`` that are right, and by line what is wrong with the others."""
    if not folder.is_dir():
        raise InvalidInput(f"{folder}: no such folder.")
    table = Table(folder / LABELS, ("file", "tumour"))
    files = Files(folder)
    group_column = next((name for name in ("group", "slide") if name in table.columns), None)
    rows: list[Row] = []
    problems: dict[int, str] = {}
    lines: dict[Path, int] = {}
    for line, record in table.rows():
        try:
            row = _checked(files, record, line, group_column)
            if (first := lines.setdefault(row.path, row.line)) != row.line:
                raise InvalidInput(f"{row.name} is named twice, first in line {first}.")
        except InvalidInput as error:
            problems[line] = str(error)
        else:
            rows.append(row)
    return rows, problems


def _check_classes(table: Path, rows: list[Row]) -> None:
    for tumour in (True, False):
        if not any(row.tumour is tumour for row in rows):
            raise InvalidInput(
                f"{table}: none of the {len(rows)} rows has tumour = {int(tumour)}. "
                f"A classifier needs patches of both classes."
            )


def _checked(files: Files, record: dict[str, str] | None, line: int, group_column: str | None) -> Row:
    """One row, or InvalidInput saying what is wrong with it."""
    if record is None:
        raise InvalidInput("the number of fields differs from the header's.")
    name = record["file"].replace("\\", "/")
    if not name:
        raise InvalidInput("'file' is empty.")
    label = record["tumour"]
    if label not in ("0", "1"):
        raise InvalidInput(f"tumour is {label[:100]!r} for {name[:100]}; it must be 0 or 1.")
    group = record[group_column] if group_column else ""
    if group_column and not group:
        raise InvalidInput(f"{group_column!r} is empty for {name[:100]}; fill it in every row or drop the column.")
    if no_group(group):
        raise InvalidInput(
            f"{group_column!r} is {group!r} for {name[:100]}: that would be one slide of all that are unknown. Fill it "
            "in every row or drop the column; where a slide is really called so, add a letter to its name."
        )
    path = files.find(name)
    if len(name) > LONGEST or len(group) > LONGEST:
        raise InvalidInput(f"{name[:100]}: name and group may have up to {LONGEST} characters.")
    return Row(line=line, name=name, path=path, tumour=label == "1", group=group)
