"""Original and altered images that another program made: a folder with ``pairs.csv``.

``original,perturbed,label[,group,attack,budget]``, one row per pair. Any attack and any change of an image (JPEG,
stain, blur, another scanner) can so be put before readers.
"""

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.tables import Files, Table, decimal, listed, no_group
from model.learning.patches import SMALLEST
from model.learning.pictures import read_picture

PAIRS = "pairs.csv"
NEEDED = ("original", "perturbed", "label")
VARIANT = 20
"""Characters of a variant's name, an arm's suffix."""
_LONGEST = {"original": 255, "perturbed": 255, "group": 255, "attack": 100}


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
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:VARIANT].rstrip("-.")


def variant_names(changes: set[tuple[str, float | None]]) -> dict[tuple[str, float | None], str]:
    """The variant of each attack and budget: ``variant_name``, with a short hash where two changes would share one.

    Attacks that differ in capitals, spaces and marks only are one. A name in letters other than a to z keeps its hash.
    """
    kinds = {change: _kind(*change) for change in changes}
    sharing: dict[str, set[str]] = {}
    for change, kind in kinds.items():
        sharing.setdefault(variant_name(*change), set()).add(kind)
    names = {}
    for change, kind in kinds.items():
        name = variant_name(*change)
        if len(sharing[name]) > 1 or (kind and not name):
            short = hashlib.sha256(kind.encode()).hexdigest()[:6]
            name = f"{name[: VARIANT - 7].rstrip('-.')}-{short}".lstrip("-") if kind else name
        names[change] = name
    return names


def _kind(attack: str, budget: float | None) -> str:
    """What makes two changes the same one."""
    words = re.sub(r"[\W_]+", "-", attack.casefold()).strip("-")
    return words if budget is None else f"{words}-{budget!r}"


class PairFolder:
    """The pairs of a folder. The table is checked on construction, the images while iterating, one pair in memory.

    Raises InvalidInput naming file and line for: a missing or unreadable table or image, a missing column, a label
    that is not 0 or 1, a budget that is not a number, a group that only says that it is unknown, a path that leaves
    the folder, two rows with one original and one attack and budget, an original with two labels or groups, images
    that are not 8-bit RGB in sRGB, that differ in size from their partner or from the first pair, that are too small,
    or whose pixels are equal. The first twenty lines that are wrong are named together. With ``skip_bad`` these lines
    are left out instead, and ``left_out`` says why each is.
    """

    def __init__(self, folder: str | Path, *, skip_bad: bool = False) -> None:
        self.folder = Path(folder)
        self.table = self.folder / PAIRS
        self.files = Files(self.folder)
        self.rows, problems = _read_table(self.files, self.table)
        if problems and not skip_bad:
            raise listed(self.table, problems | self._bad_images())
        if skip_bad:
            problems |= self._bad_images()
            self.rows = [row for row in self.rows if row.line not in problems]
        if not self.rows:
            raise InvalidInput(f"{self.table}: no pairs{' that can be used' if problems else ''}.")
        self.left_out = [f"line {line}: {text}" for line, text in sorted(problems.items())]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def variants(self) -> list[str]:
        return sorted({row.variant for row in self.rows})

    def __iter__(self) -> Iterator[ReadPair]:
        shape: tuple[int, ...] = ()
        for row in self.rows:
            try:
                pair = self._pair(row, shape)
            except InvalidInput:
                raise listed(self.table, self._bad_images()) from None  # all of them at once
            shape = pair.original.shape
            yield pair

    def _bad_images(self) -> dict[int, str]:
        problems: dict[int, str] = {}
        shape: tuple[int, ...] = ()
        for row in self.rows:
            try:
                shape = self._pair(row, shape).original.shape
            except InvalidInput as error:
                problems[row.line] = str(error)
        return problems

    def _pair(self, row: Row, shape: tuple[int, ...]) -> ReadPair:
        """A row's pixels; ``shape`` is that of the pairs before it, empty for the first."""
        original, perturbed = (self._pixels(name) for name in (row.original, row.perturbed))
        if original.shape != perturbed.shape:
            raise InvalidInput(
                f"{row.original} is {_size(original)} pixels and {row.perturbed} {_size(perturbed)}; "
                "both must have one size."
            )
        if shape and original.shape != shape:
            raise InvalidInput(
                f"{row.original} is {_size(original)} pixels, the pairs before it "
                f"{shape[1]} x {shape[0]}; a study's images have one size."
            )
        if min(original.shape[:2]) < SMALLEST:
            raise InvalidInput(f"{row.original} is {_size(original)} pixels; at least {SMALLEST} are needed.")
        if np.array_equal(original, perturbed):
            raise InvalidInput(f"{row.original} and {row.perturbed} show the same pixels; nothing was altered.")
        return ReadPair(row, original, perturbed, norms_of(original, perturbed))

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        try:
            path = self.files.find(name)
            picture = read_picture(path)
        except InvalidInput as error:
            raise InvalidInput(f"{name} {error.message}") from error
        if picture.mode != "RGB":
            raise InvalidInput(f"{name} has pixel mode {picture.mode}; save it as 8-bit RGB.")
        if picture.profile and picture.usable:
            raise InvalidInput(
                f"{name} has the colour profile {picture.profile!r}, not sRGB: converting it here would change the "
                "alteration. Convert the original to sRGB first, and alter that."
            )
        return picture.pixels


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def _read_table(files: Files, path: Path) -> tuple[list[Row], dict[int, str]]:
    """The rows that are right, and by line what is wrong with the others."""
    table = Table(path, NEEDED)
    checked: list[Row] = []
    problems: dict[int, str] = {}
    for line, record in table.rows():
        try:
            checked.append(_checked(files, record, line))
        except InvalidInput as error:
            problems[line] = str(error)
    variants = variant_names({(row.attack, row.budget) for row in checked})
    rows: list[Row] = []
    pairs: dict[tuple[str, str], Row] = {}
    originals: dict[str, Row] = {}
    for row in (replace(row, variant=variants[row.attack, row.budget]) for row in checked):
        twin = pairs.setdefault((row.original, row.variant), row)
        first = originals.setdefault(row.original, row)
        if twin is not row:
            problems[row.line] = f"{row.original} with this attack and budget stands in line {twin.line} already."
        elif (first.label, first.group) != (row.label, row.group):
            problems[row.line] = f"{row.original} has another label or group in line {first.line}."
        else:
            rows.append(row)
    return rows, problems


def _checked(files: Files, cells: dict[str, str] | None, line: int) -> Row:
    """One row without its variant, or InvalidInput saying what is wrong with it."""
    if cells is None:
        raise InvalidInput("the number of fields differs from the header's.")
    label = cells["label"]
    if label not in ("0", "1"):
        raise InvalidInput(f"label is {label[:100]!r}; it must be 1 (tumour) or 0.")
    for column, most in _LONGEST.items():
        if len(cells.get(column, "")) > most:
            raise InvalidInput(f"{column} has more than {most} characters.")
    group = cells.get("group", "")
    if no_group(group):
        raise InvalidInput(
            f"group is {group!r}: that would be one group of all that are unknown. Leave the cell empty; where a group "
            "is really called so, add a letter to its name."
        )
    names = []
    for column in ("original", "perturbed"):
        name = cells[column].replace("\\", "/")
        try:
            files.find(name)
        except InvalidInput:
            raise InvalidInput(f"{column} {name!r} is not a file in this folder.") from None
        names.append(name)
    return Row(
        line=line,
        original=names[0],
        perturbed=names[1],
        label=label == "1",
        group=group,
        attack=cells.get("attack", ""),
        budget=_budget(cells.get("budget", "")),
        variant="",
    )


def _budget(text: str) -> float | None:
    if not text:
        return None
    try:
        budget = decimal(text)
    except ValueError:
        budget = math.nan
    if not (math.isfinite(budget) and budget >= 0):
        raise InvalidInput(f"budget is {text[:100]!r}; it must be a number from 0.")
    return budget
