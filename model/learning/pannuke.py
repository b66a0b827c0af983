"""PanNuke's own files (Gamper et al. 2020), read one patch at a time.

A fold is three files: ``images.npy`` (n, 256, 256, 3), ``types.npy`` (n,) tissue names and ``masks.npy``
(n, 256, 256, 6) of instance ids, channel 0 neoplastic, 1 inflammatory, 2 connective, 3 dead, 4 benign epithelial,
5 background. Images are 4 GB and masks 8 GB as float64, so they are memory-mapped, and mapped anew for each patch:
pages of a map that stays open count as resident memory until the kernel wants them back.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from model.learning.patches import POSITIVE_FROM, Patch, centre, check_size, content_sha256

EDGE, CHANNELS, NEOPLASTIC = 256, 6, 0

_DEPTH = 5  # how far below a given folder folds are looked for: "PanNuke/Fold 1/images/fold1/images.npy" and one more
_FILES = ("images.npy", "types.npy", "masks.npy")


@dataclass(frozen=True)
class Fold:
    """The three files of one fold, and the name its patches begin with."""

    name: str
    images: Path
    types: Path
    masks: Path


@dataclass
class Summary:
    """How the patches of the asked tissue divide. ``duplicates`` equal an earlier patch pixel by pixel: left out."""

    positives: int = 0
    negatives: int = 0
    excluded: int = 0
    duplicates: int = 0
    other_tissue: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class PanNuke:
    """The patches of one tissue in one or more folds, labelled by what the centre crop shows.

    Iterating yields each positive (5 or more neoplastic nuclei in the crop) and negative (none) as a ``Patch``, one in
    memory at a time, and fills ``summary``; 1 to 4 nuclei are excluded (the paper's section 2.1). ``size`` is the edge
    of the crop in pixels, 256 the whole patch; ``tissue`` is a name in ``types.npy`` in any case, or "all".

    Raises InvalidInput at once for missing files and wrong shapes, types or tissue; while iterating for wrong values.
    """

    def __init__(self, paths: Sequence[str | Path], *, tissue: str = "Breast", size: int = 224) -> None:
        check_size(size, EDGE)
        self.size = size
        self.tissue = tissue
        self.folds = find_folds(paths)
        self.summary = Summary()
        types = [_checked_types(fold) for fold in self.folds]
        present = sorted({str(name) for names in types for name in names})
        wanted = tissue.casefold()
        if wanted != "all" and wanted not in {name.casefold() for name in present}:
            raise InvalidInput(
                f"No patch of tissue {tissue!r} in the given folds. They hold: {', '.join(present)}, or 'all'."
            )
        self._rows = [
            [i for i, name in enumerate(names) if wanted == "all" or str(name).casefold() == wanted] for names in types
        ]
        self._other_tissue = sum(len(names) for names in types) - len(self)

    def __len__(self) -> int:
        """Patches that will be looked at, excluded ones among them."""
        return sum(len(rows) for rows in self._rows)

    def __iter__(self) -> Iterator[Patch]:
        self.summary = summary = Summary(other_tissue=self._other_tissue)
        seen: set[str] = set()
        for fold, rows in zip(self.folds, self._rows, strict=True):
            for row in rows:
                patch = self._read(fold, row)
                content = content_sha256(patch.pixels)
                if content in seen:
                    summary.duplicates += 1
                    continue
                seen.add(content)
                cells = patch.tumour_cells or 0
                if 0 < cells < POSITIVE_FROM:
                    summary.excluded += 1
                    continue
                if patch.tumour:
                    summary.positives += 1
                else:
                    summary.negatives += 1
                yield patch

    def _read(self, fold: Fold, row: int) -> Patch:
        pixels = _as_bytes(centre(_open(fold.images)[row], self.size), fold.images, row)
        ids = centre(_open(fold.masks)[row], self.size)[..., NEOPLASTIC]
        nuclei = _nuclei(ids, fold.masks, row)
        return Patch(
            name=f"{fold.name}_{row:05d}",
            pixels=pixels,
            tumour=len(nuclei) >= POSITIVE_FROM,
            tumour_cells=len(nuclei),
            tumour_mask=np.asarray(ids != 0),
        )


def find_folds(paths: Sequence[str | Path]) -> list[Fold]:
    """Every fold at or below ``paths``: the three files in one folder, or nested as PanNuke's archives unpack them.

    A path may be a fold, a folder inside one, or a folder that holds several folds. Raises InvalidInput naming the
    missing file, a path without any fold, or a fold given twice.
    """
    if not paths:
        raise InvalidInput("No fold given: name the folder that holds images.npy, types.npy and masks.npy.")
    folds: list[Fold] = []
    for path in map(Path, paths):
        if not path.is_dir():
            raise InvalidInput(f"{path}: no such folder. Give the folder that a PanNuke fold was unpacked into.")
        found = [_fold_of(images) for images in _images_below(path)]
        if not found:
            present = [name for name in _FILES if any(path.rglob(name))]
            also = f" (only {', '.join(present)})" if present else ""
            raise InvalidInput(f"{path}: no images.npy found in it or below it{also}. A fold has {', '.join(_FILES)}.")
        folds += found
    names: dict[str, Fold] = {}
    for fold in folds:
        other = names.setdefault(fold.name, fold)
        if other is not fold:
            same = "given twice" if other.images.samefile(fold.images) else f"also the name of {other.images.parent}"
            raise InvalidInput(
                f"{fold.images.parent}: fold {fold.name!r} is {same}. Give each fold once, under its own name."
            )
    return folds


def _images_below(path: Path) -> list[Path]:
    """The ``images.npy`` at most _DEPTH folders below ``path``, in a stable order."""
    found = []
    base = len(path.parts)
    for folder, subfolders, files in os.walk(path):
        subfolders.sort()
        if len(Path(folder).parts) - base >= _DEPTH:
            subfolders.clear()
        if "images.npy" in files:
            found.append(Path(folder) / "images.npy")
    return found


def _fold_of(images: Path) -> Fold:
    """The fold that ``images`` belongs to: its siblings, or ``masks/foldN`` beside ``images/foldN``."""
    here = images.resolve().parent
    beside = [here, here.parent.parent / "masks" / here.name, here.parent / "masks"]
    masks = next((folder / "masks.npy" for folder in beside if (folder / "masks.npy").is_file()), None)
    if masks is None:
        looked = ", ".join(str(folder) for folder in beside)
        raise InvalidInput(f"{images}: its masks.npy is missing (looked in {looked}). Unpack the fold's masks too.")
    types = next((folder / "types.npy" for folder in (here, masks.parent) if (folder / "types.npy").is_file()), None)
    if types is None:
        raise InvalidInput(f"{images}: types.npy is missing beside it. It names each patch's tissue.")
    name = here.parent.name if here.name == "images" else here.name
    return Fold(name=name, images=images, types=types, masks=masks)


def _open(path: Path) -> NDArray:
    """The array, memory-mapped for reading."""
    with path.open("rb") as file:
        head = file.read(200)
    if head.startswith(b"version https://git-lfs"):
        raise InvalidInput(f"{path}: a Git LFS pointer, not the data. Fetch the file itself with `git lfs pull`.")
    if head.startswith(b"PK"):
        raise InvalidInput(f"{path}: a zip archive (.npz or .zip) under another name. Unpack it, or save with np.save.")
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        raise InvalidInput(f"{path}: a web page, not the data. Download it again, signed in if need be.")
    if b"'descr': '|O'" in head:
        raise InvalidInput(
            f"{path}: an array of Python objects, which is not read because it can run code. Save it with a plain "
            "dtype: np.save(file, array.astype(str)) for tissue names, .astype(np.float64) for numbers."
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError(f"a {type(array).__name__}")
        return array
    except Exception as error:  # numpy's header is parsed as Python: a damaged one raises nearly anything
        raise InvalidInput(
            f"{path}: cannot be read as a NumPy array ({error}). It may be cut short; download or unpack it again."
        ) from error


def _checked_types(fold: Fold) -> NDArray:
    """Tissue names (n,), after comparing the shapes and dtypes of the fold's three files."""
    images, masks = _open(fold.images), _open(fold.masks)
    for array, path, last in ((images, fold.images, 3), (masks, fold.masks, CHANNELS)):
        if array.ndim != 4 or array.shape[1:] != (EDGE, EDGE, last):
            raise InvalidInput(f"{path}: shape {array.shape}, but PanNuke's is (n, {EDGE}, {EDGE}, {last}).")
        if array.dtype.kind not in "fiu":
            raise InvalidInput(f"{path}: dtype {array.dtype}, but numbers are needed (float64 or uint8).")
    types = np.asarray(_open(fold.types))
    if types.dtype.kind == "S":
        types = np.char.decode(types, "utf-8", "replace")
    if types.ndim != 1 or types.dtype.kind != "U":
        raise InvalidInput(
            f"{fold.types}: shape {types.shape} and dtype {types.dtype}, but (n,) tissue names are needed."
        )
    _check_text(types, fold.types)
    if not len(images) == len(masks) == len(types):
        raise InvalidInput(
            f"{fold.images}: {len(images)} images, {len(masks)} masks ({fold.masks}) and {len(types)} tissue names "
            f"({fold.types}): the three files are not of one fold."
        )
    return types


def _check_text(names: NDArray, path: Path) -> None:
    """Refuse names of numpy's kind U (n,) with numbers that are no characters: reading one is an error in Python."""
    if not names.nbytes:
        return
    codes = np.ascontiguousarray(names).view(f"{names.dtype.str[0]}u4").reshape(len(names), -1)
    # Beyond Unicode, half of a surrogate pair, or a NUL amid the name, which no database keeps.
    wrong = (codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))
    amid = (codes[:, :-1] == 0) & (codes[:, 1:] != 0)
    bad = wrong.any(axis=1) | amid.any(axis=1)
    if bad.any():
        raise InvalidInput(f"{path}: name {int(bad.argmax())} is not text. The file is damaged; download it again.")


def _as_bytes(values: NDArray, path: Path, row: int) -> NDArray[np.uint8]:
    """One (h, w, 3) crop as uint8, rounded; raises InvalidInput for anything that cannot be an 8-bit picture."""
    where = f"{path}, patch {row}"
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low + high):
        raise InvalidInput(
            f"{where}: NaN or infinity among the pixels. The file is damaged; download or convert it again."
        )
    if low < 0 or high > 255:
        raise InvalidInput(f"{where}: pixel values from {low:g} to {high:g}, but 0 to 255 is needed.")
    if high == 0:
        raise InvalidInput(f"{where}: every pixel is 0. The file was not downloaded or unpacked completely.")
    if high <= 1:
        raise InvalidInput(f"{where}: pixel values only up to {high:g}; scaled to 0-1? PanNuke's are 0 to 255.")
    return np.rint(values).astype(np.uint8)


def _nuclei(ids: NDArray, path: Path, row: int) -> NDArray:
    """The distinct instance ids other than 0 in an (h, w) crop of the neoplastic channel."""
    found = np.unique(ids)
    if not np.isfinite(found).all() or found[0] < 0 or (found != np.rint(found)).any():
        raise InvalidInput(
            f"{path}, patch {row}: channel {NEOPLASTIC} must hold instance ids: whole numbers, 0 for none."
        )
    return found[found != 0]
