"""A folder of images with a ``labels.csv``: ``file,tumour`` and, where known, ``slide`` or ``group``."""

import csv
import io
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import InvalidInput
from model.learning.patches import Patch, centre, check_size, content_sha256

LABELS = "labels.csv"
_LISTED = 10  # problems named in one message
_EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"}


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
    """What was read."""

    positives: int = 0
    negatives: int = 0
    groups: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class PatchFolder:
    """The labelled images of a folder, cropped centrally to ``size`` x ``size`` pixels.

    The whole table is checked on construction; the images while iterating, one in memory at a time. Extra columns are
    ignored. With both ``group`` and ``slide`` the ``group`` counts: it is what train and test are kept apart by.

    Raises InvalidInput naming file and line for: a missing or unreadable table or image, a missing column, a label
    that is
    not 0 or 1, an empty slide, a path that leaves the folder, a file named twice, two files with the same pixels, an
    image smaller than ``size`` or not of 8 bits, a class without patches.
    """

    def __init__(self, folder: str | Path, *, size: int = 224) -> None:
        check_size(size)
        self.folder = Path(folder)
        self.size = size
        self.rows = _read_table(self.folder)
        self.summary = Summary()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Patch]:
        self.summary = Summary(groups=len({row.group for row in self.rows} - {""}))
        seen: dict[str, Row] = {}
        for row in self.rows:
            pixels = self._pixels(row)
            other = seen.setdefault(content_sha256(pixels), row)
            if other is not row:
                raise InvalidInput(
                    f"{self.folder / LABELS}, line {row.line}: {row.name} shows the same pixels as {other.name} "
                    f"(line {other.line}). Keep one of the two rows."
                )
            if row.tumour:
                self.summary.positives += 1
            else:
                self.summary.negatives += 1
            yield Patch(name=row.name, pixels=pixels, tumour=row.tumour, group=row.group)

    def _pixels(self, row: Row) -> NDArray[np.uint8]:
        where = f"{self.folder / LABELS}, line {row.line}: {row.name}"
        try:
            pixels = read_image(row.path)
        except InvalidInput as error:
            raise InvalidInput(f"{where}: {error}") from error
        height, width = pixels.shape[:2]
        if min(height, width) < self.size:
            raise InvalidInput(
                f"{where} is {width} x {height} pixels, smaller than {self.size} x {self.size}. "
                f"Take the row out or import with a smaller --size."
            )
        return np.ascontiguousarray(centre(pixels, self.size))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Any single picture of 8 bits per channel that Pillow reads, as uint8 (h, w, 3), transparency over white.

    Raises InvalidInput if it cannot be decoded whole, has several frames, or is of a mode whose depth would be cut off.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            if image.mode not in _EIGHT_BIT:
                raise InvalidInput(f"has pixel mode {image.mode}; convert it to 8-bit RGB first.")
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise InvalidInput(f"holds {frames} pictures; save the wanted one as a file of its own.")
            upright = ImageOps.exif_transpose(image)
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright)
            return np.asarray(upright.convert("RGB"))
    except InvalidInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInput("is too large for a patch; cut patches out of the slide first.") from error
    except UnidentifiedImageError as error:
        raise InvalidInput("is not an image that Pillow can read.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidInput(f"cannot be read as an image ({error}).") from error


def _read_table(folder: Path) -> list[Row]:
    """The checked rows of ``folder/labels.csv``; every problem of the table in one message, the first ten named."""
    table = folder / LABELS
    if not folder.is_dir():
        raise InvalidInput(f"{folder}: no such folder.")
    if not table.is_file():
        raise InvalidInput(f"{table}: no such file. The folder needs a table with the columns file,tumour[,slide].")
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{table}: not UTF-8 text ({error.reason} at byte {error.start}). Save it as CSV UTF-8."
        ) from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # spreadsheets of half of Europe write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = [name.strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = columns
    for needed in ("file", "tumour"):
        if needed not in columns:
            raise InvalidInput(
                f"{table}, line 1: column {needed!r} is missing; found: {', '.join(columns) or 'nothing'}."
            )
        if columns.count(needed) > 1:
            raise InvalidInput(f"{table}, line 1: column {needed!r} stands there twice.")
    group_column = next((name for name in ("group", "slide") if name in columns), None)

    rows: list[Row] = []
    problems: list[str] = []
    lines: dict[Path, int] = {}
    try:
        for record in reader:
            if not any(isinstance(value, str) and value.strip() for value in record.values()):
                continue  # a blank line at the end
            try:
                row = _checked(folder.resolve(), record, reader.line_num, group_column)
                if (first := lines.setdefault(row.path, row.line)) != row.line:
                    raise InvalidInput(f"{row.name} is named twice, first in line {first}.")
            except InvalidInput as error:
                problems.append(f"line {reader.line_num}: {error}")
            else:
                rows.append(row)
    except csv.Error as error:
        raise InvalidInput(f"{table}, line {reader.reader.line_num}: not a CSV table ({error}).") from error
    if problems:
        more = f"\n… and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise InvalidInput(f"{table}, " + "\n".join(problems[:_LISTED]) + more)
    for tumour in (True, False):
        if not any(row.tumour is tumour for row in rows):
            raise InvalidInput(
                f"{table}: none of the {len(rows)} rows has tumour = {int(tumour)}. "
                f"A classifier needs patches of both classes."
            )
    return rows


def _checked(folder: Path, record: dict, line: int, group_column: str | None) -> Row:
    """One row, or InvalidInput saying what is wrong with it."""
    if None in record or None in record.values():
        raise InvalidInput("the number of fields differs from the header's.")
    name = record["file"].strip().replace("\\", "/")
    if not name:
        raise InvalidInput("'file' is empty.")
    label = record["tumour"].strip()
    if label not in ("0", "1"):
        raise InvalidInput(f"tumour is {label!r} for {name}; it must be 0 or 1.")
    group = record[group_column].strip() if group_column else ""
    if group_column and not group:
        raise InvalidInput(f"{group_column!r} is empty for {name}; fill it in every row or drop the column.")
    try:
        path = (folder / name).resolve()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{name!r} is not a file name.") from error
    if not path.is_relative_to(folder):
        raise InvalidInput(f"{name} lies outside the folder. Put the image into it.")
    if not path.is_file():
        raise InvalidInput("no such file.", field=name)
    return Row(line=line, name=name, path=path, tumour=label == "1", group=group)
