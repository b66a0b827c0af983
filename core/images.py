"""Stored images: the one PNG encoder, and the one decoder, which checks the SHA-256 first.

Every image that this project shows, judges or exports is read here.
"""

import hashlib
import io
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from PIL import Image

from core.decoders import opened
from core.errors import InvalidInput

SMALL_FILE = 1
"""``compress_level`` for images that no reader sees: patches of a data set, masks."""


def encode_png(pixels: NDArray[Any], *, compress_level: int = 0) -> bytes:
    """PNG of uint8 (h, w, 3), or of bool (h, w) with one bit per pixel; lossless.

    By default nothing is compressed, so images of equal size in pixels have files of equal length. Compressed, a
    perturbed image would be longer than its original, and the length would tell the arms apart.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=compress_level)
    return buffer.getvalue()


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a PNG whose bytes have been checked, uint8 (h, w, 3)."""
    with opened(io.BytesIO(data), formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"))


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_bytes(name: str | None, *, sha256: str) -> bytes:
    """The bytes of a stored file; ``name`` is empty where a row has none.

    Raises:
        InvalidInput: there is no file, it is missing, or its bytes are not those that were stored.
    """
    if not name:
        raise InvalidInput("No file was stored here.")
    try:
        with default_storage.open(name) as file:
            data = file.read()
    except FileNotFoundError:
        raise InvalidInput(f"{name} is missing from the file store. Restore it from a backup.") from None
    if sha256_of(data) != sha256:
        raise InvalidInput(f"{name} has changed since it was stored (its SHA-256 differs). Restore it from a backup.")
    return data


def read_pixels(name: str | None, *, sha256: str) -> NDArray[np.uint8]:
    """The pixels of a stored PNG, uint8 (h, w, 3); raises as ``read_bytes``."""
    return decode_png(read_bytes(name, sha256=sha256))


def read_mask(name: str | None, *, sha256: str) -> NDArray[np.bool_]:
    """A stored mask, bool (h, w); raises as ``read_bytes``."""
    with opened(io.BytesIO(read_bytes(name, sha256=sha256)), formats=("PNG",)) as image:
        return np.asarray(image.convert("1"))
