"""Original and altered images that another program made: a folder with ``pairs.csv``.

``original,perturbed,label[,group,attack,budget]``, one row per pair. Any attack and any change of an image (JPEG,
stain, blur, another scanner) can so be put before readers.
"""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import InvalidInput
from model.learning.folder import read_image
from model.learning.patches import SMALLEST

PAIRS = "pairs.csv"
NEEDED = ("original", "perturbed", "label")
_LISTED = 10  # problems named in one message


@dataclass(frozen=True)
class Row:
    """One checked line of ``pairs.csv``; ``variant`` names the change: attack and budget, as an arm's suffix."""

    line: int
    original: str
    perturbed: str
    label: bool
    group: str
    attack: str
    budget: float | None
    variant: str


@dataclass(frozen=True, eq=False)
class ReadPair:
    """A pair's pixels, uint8 (h, w, 3) each, and its norms in 0-255 units on the decoded bytes."""

    row: Row
    original: NDArray[np.uint8]
    perturbed: NDArray[np.uint8]
    norms: dict[str, float]


def norms_of(original: NDArray[np.uint8], perturbed: NDArray[np.uint8]) -> dict[str, float]:
    """L0 (share of pixels), L1 (mean absolute), L2 (root mean squared), Linf, of two uint8 (h, w, 3)."""
    difference = np.abs(perturbed.astype(np.int64) - original.astype(np.int64))
    return {
        "l0": float((difference.max(axis=2) > 0).mean()),
        "l1": float(difference.mean()),
        "l2": math.sqrt(float(np.square(difference).mean())),
        "linf": float(difference.max()),
    }


def variant_name(attack: str, budget: float | None) -> str:
    """``("JPEG 30", 4.0)`` -> ``jpeg-30-4``: short enough to be an arm's suffix; "" where neither is given."""
    text = attack if budget is None else f"{attack}-{budget:g}"
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:20].rstrip("-.")


class PairFolder:
    """The pairs of a folder. The table is checked on construction, the images while iterating, one pair in memory.

    Raises InvalidInput naming file and line for: a missing or unreadable table or image, a missing column, a label
    that is not 0 or 1, a budget that is not a number, a path that leaves the folder, two rows with one original and one
    attack and budget, an original with two labels or groups, images that are not 8-bit RGB, that differ in size from
    their partner or from the first pair, that are too small, or whose pixels are equal.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.table = self.folder / PAIRS
        self.rows = _read_table(self.folder, self.table)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def variants(self) -> list[str]:
        return sorted({row.variant for row in self.rows})

    def __iter__(self) -> Iterator[ReadPair]:
        shape: tuple[int, ...] = ()
        for row in self.rows:
            original, perturbed = (self._pixels(row, name) for name in (row.original, row.perturbed))
            where = f"{self.table}, line {row.line}"
            if original.shape != perturbed.shape:
                raise InvalidInput(
                    f"{where}: {row.original} is {_size(original)} pixels and {row.perturbed} {_size(perturbed)}; "
                    "both must have one size."
                )
            shape = shape or original.shape
            if original.shape != shape:
                raise InvalidInput(
                    f"{where}: {row.original} is {_size(original)} pixels, the pairs before it "
                    f"{shape[1]} x {shape[0]}; a study's images have one size."
                )
            if min(shape[:2]) < SMALLEST:
                raise InvalidInput(
                    f"{where}: {row.original} is {_size(original)} pixels; at least {SMALLEST} are needed."
                )
            if np.array_equal(original, perturbed):
                raise InvalidInput(
                    f"{where}: {row.original} and {row.perturbed} show the same pixels; nothing was altered."
                )
            yield ReadPair(row, original, perturbed, norms_of(original, perturbed))

    def _pixels(self, row: Row, name: str) -> NDArray[np.uint8]:
        path = self.folder / name
        try:
            with Image.open(path) as image:
                if image.mode != "RGB":
                    raise InvalidInput(f"has pixel mode {image.mode}; save it as 8-bit RGB.")
            return read_image(path)
        except (InvalidInput, OSError, Image.DecompressionBombError) as error:
            reason = error if isinstance(error, InvalidInput) else "is not an image that Pillow can read."
            raise InvalidInput(f"{self.table}, line {row.line}: {name} {reason}") from error


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def _read_table(folder: Path, table: Path) -> list[Row]:
    if not table.is_file():
        raise InvalidInput(f"{table}: no such file. The folder needs a table with the columns {','.join(NEEDED)}.")
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{table}: not UTF-8 text (byte {error.start}). Save it as CSV UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.partition("\n")[0].count))
    reader.fieldnames = columns = [name.strip().lower() for name in reader.fieldnames or []]
    for needed in NEEDED:
        if columns.count(needed) != 1:
            present = ", ".join(columns) or "nothing"
            raise InvalidInput(f"{table}, line 1: one column {needed!r} is needed; found: {present}.")
    rows: list[Row] = []
    problems: list[str] = []
    pairs: dict[tuple[str, str], Row] = {}
    originals: dict[str, Row] = {}
    for record in reader:
        if not any(isinstance(value, str) and value.strip() for value in record.values()):
            continue  # a blank line at the end
        try:
            row = _checked(folder, record, reader.line_num)
            twin = pairs.setdefault((row.original, row.variant), row)
            if twin is not row:
                raise InvalidInput(f"{row.original} with this attack and budget stands in line {twin.line} already.")
            first = originals.setdefault(row.original, row)
            if (first.label, first.group) != (row.label, row.group):
                raise InvalidInput(f"{row.original} has another label or group in line {first.line}.")
        except InvalidInput as error:
            problems.append(f"line {reader.line_num}: {error}")
        else:
            rows.append(row)
    if problems:
        more = f"\n… and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise InvalidInput(f"{table}, " + "\n".join(problems[:_LISTED]) + more)
    if not rows:
        raise InvalidInput(f"{table}: no pairs.")
    return rows


def _checked(folder: Path, record: dict, line: int) -> Row:
    """One row, or InvalidInput saying what is wrong with it."""
    if None in record or None in record.values():
        raise InvalidInput("the number of fields differs from the header's.")
    cells = {key: value.strip() for key, value in record.items()}
    label = cells["label"]
    if label not in ("0", "1"):
        raise InvalidInput(f"label is {label!r}; it must be 1 (tumour) or 0.")
    budget = None
    if cells.get("budget"):
        try:
            budget = float(cells["budget"])
        except ValueError:
            budget = math.nan
        if not (math.isfinite(budget) and budget >= 0):
            raise InvalidInput(f"budget is {cells['budget']!r}; it must be a number from 0.")
    files = []
    for column in ("original", "perturbed"):
        name = cells[column].replace("\\", "/")
        path = (folder / name).resolve()
        if not name or not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise InvalidInput(f"{column} {name!r} is not a file in this folder.")
        if len(name) > 255:
            raise InvalidInput(f"{column} has a name of more than 255 characters.")
        files.append(name)
    attack = cells.get("attack", "")[:100]
    return Row(
        line=line,
        original=files[0],
        perturbed=files[1],
        label=label == "1",
        group=cells.get("group", "")[:255],
        attack=attack,
        budget=budget,
        variant=variant_name(attack, budget),
    )
