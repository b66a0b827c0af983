"""One patch in memory: what every reader of patches yields and every importer takes."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput

POSITIVE_FROM = 5
"""Tumour cells that make a patch positive; 0 is negative, 1 to 4 is left out (the paper's section 2.1)."""

SMALLEST = 32
"""Edge in pixels below which a patch shows no tissue architecture (and ResNet-18 no feature map)."""


@dataclass(frozen=True, eq=False)
class Patch:
    """One square H&E image with its reference label.

    ``pixels`` is uint8 (h, w, 3). ``group`` is the slide or patient, "" where none is known. ``tumour_cells`` and
    ``tumour_mask`` (bool (h, w), pixels of neoplastic nuclei) are None where the source does not outline nuclei.
    """

    name: str
    pixels: NDArray[np.uint8]
    tumour: bool
    group: str = ""
    tumour_cells: int | None = None
    tumour_mask: NDArray[np.bool_] | None = None


def centre(array: NDArray, size: int) -> NDArray:
    """The central ``size`` x ``size`` of an (h, w, ...) array, as a view; an odd margin leaves its extra pixel last."""
    top, left = (array.shape[0] - size) // 2, (array.shape[1] - size) // 2
    return array[top : top + size, left : left + size]


def content_sha256(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 over shape and decoded bytes: two files with equal pixels have equal hashes, whatever their format."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def check_size(size: int, largest: int | None = None) -> None:
    """Raise InvalidInput unless ``size`` (the edge of the centre crop, in pixels) can be cut."""
    if size < SMALLEST or (largest is not None and size > largest):
        limits = f"from {SMALLEST} to {largest}" if largest else f"at least {SMALLEST}"
        raise InvalidInput(f"size {size}: the centre crop must be {limits} pixels wide.")
