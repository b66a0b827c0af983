"""The one place where Pillow opens a file: only the formats that are documented, and no more pixels than a patch has.

Left to itself Pillow tries forty decoders by what the bytes look like, whatever the file is called: an EPS named
``a.png`` starts Ghostscript, and PSD, WMF or FLI reach code that no patch needs. Free of Django, for the pure packages.
"""

from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from core.errors import InvalidInput

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "AVIF", "JPEG2000", "PPM")
"""What is read from outside. A phone's JPEG with a preview (MPO) is a JPEG."""
NAMES = "PNG, JPEG, TIFF, BMP, GIF, WebP, AVIF, JPEG 2000 or PPM"

MAX_PIXELS = 16_000_000
"""4,000 x 4,000: a patch is a few hundred pixels wide. Decoding takes about 12 bytes for each pixel."""


def opened(file: Path | IO[bytes], *, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The image with its size known and nothing decoded yet; to be used in a ``with``.

    Raises:
        InvalidInput: it is none of ``formats``, or has more than ``MAX_PIXELS``. The message begins with a verb: who
            knows the file's name puts it before.
    """
    try:
        image = Image.open(file, formats=formats)
    except UnidentifiedImageError as error:
        wanted = NAMES if formats is FORMATS else ", ".join(formats)
        raise InvalidInput(f"is not an image of a kind that is read here ({wanted}).") from error
    except Image.DecompressionBombError as error:
        raise InvalidInput(_too_large("more than 178 million")) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise InvalidInput(_too_large(f"{width:,} x {height:,}"))
    return image


def _too_large(size: str) -> str:
    return (
        f"has {size} pixels and is too large for a patch: up to {MAX_PIXELS:,} are taken. Cut patches out of the "
        "slide first."
    )
