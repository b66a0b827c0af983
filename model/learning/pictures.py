"""A picture file as uint8 (h, w, 3) in sRGB, or InvalidInput that says why not."""

import io
import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from core.decoders import opened
from core.errors import InvalidInput

_EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"}
_SAME_COLOURS = 2
"""Grey levels by which a profile may differ from sRGB and still be taken for it: pixels are then left untouched."""


@dataclass(frozen=True, eq=False)
class Picture:
    """``pixels`` uint8 (h, w, 3), of a file with Pillow's pixel ``mode``. ``profile`` names a colour profile other than
    sRGB; the pixels were converted from it, unless it is not ``usable``: then it was left out, as viewers do."""

    pixels: NDArray[np.uint8]
    profile: str = ""
    usable: bool = True
    mode: str = "RGB"


def read_image(path: Path) -> NDArray[np.uint8]:
    """The pixels of ``read_picture``."""
    return read_picture(path).pixels


def read_picture(path: Path) -> Picture:
    """Any single picture of 8 bits per channel in one of ``core.decoders.FORMATS``.

    Upright, transparency over white, in sRGB.

    Raises InvalidInput if it cannot be decoded whole, has several frames, or has more than 8 bits per channel.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow only warns of, such as damaged metadata
            with opened(path) as image:
                return _decoded(image, path)
    except InvalidInput:
        raise
    except MemoryError as error:
        raise InvalidInput("is too large for a patch; cut patches out of the slide first.") from error
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        why = str(error).replace(str(path), path.name).strip() or type(error).__name__
        raise InvalidInput(f"cannot be read as an image ({why}).") from error


def _decoded(image: Image.Image, path: Path) -> Picture:
    bits, mode = _bits(image, path), image.mode
    if image.mode not in _EIGHT_BIT or bits > 8:
        depth = f"{bits} bits per channel" if bits > 8 else f"pixel mode {image.mode}"
        raise InvalidInput(f"has {depth}; convert it to 8-bit RGB first.")
    frames = _frames(image)
    if frames > 1:
        raise InvalidInput(f"holds {frames} pictures; save the wanted one as a file of its own.")
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    upright, named, usable = _in_srgb(upright, profile)
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    return Picture(np.asarray(upright.convert("RGB")), named, usable, mode)


# --- Several pictures in a file ---------------------------------------------------------------------------------------


def _frames(image: Image.Image) -> int:
    """Pictures in the file that somebody could mean. A camera's JPEG shows its first one: the others are previews or
    gain maps (Pillow calls it MPO). A TIFF's reduced copies are not counted."""
    frames = getattr(image, "n_frames", 1)
    if image.format == "MPO" or frames == 1:
        image.seek(0)
        return 1
    if image.format == "TIFF":
        whole = []
        for number in range(min(frames, 100)):
            image.seek(number)
            if not image.tag_v2.get(254, 0) & 1:  # type: ignore[attr-defined]
                whole.append(number)
        image.seek(whole[0] if whole else 0)
        return max(len(whole), 1)
    return frames


# --- Bits per channel -------------------------------------------------------------------------------------------------


def _bits(image: Image.Image, path: Path) -> int:
    """Bits per channel in the file. Pillow reads 16-bit colour as 8-bit: it keeps the high byte only, so that a
    12-bit camera's picture is nearly black."""
    found = [8]
    tiles = getattr(image, "tile", [])  # how the file holds its pixels: decoder, place, offset, arguments
    for tile in tiles:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        found += [int(bits) for text in arguments if isinstance(text, str) for bits in re.findall(r";(\d+)", text)]
    if image.format == "TIFF":
        found += [int(bits) for bits in image.tag_v2.get(258, ())]  # type: ignore[attr-defined]
    if image.format == "PPM" and tiles and isinstance(tiles[0][3], tuple):
        found += [int(most).bit_length() for most in tiles[0][3] if isinstance(most, int)]
    if image.format in ("PNG", "JPEG2000", "AVIF"):
        with path.open("rb") as file:
            found.append(_bits_of_header(image.format, file.read(65_536)))
    return max(found)


def _bits_of_header(kind: str, head: bytes) -> int:
    if kind == "PNG":
        return head[24]
    if kind == "JPEG2000":
        place = head.find(b"\xff\x4f\xff\x51")
        return 8 if place < 0 else (head[place + 42] & 0x7F) + 1  # SIZ: 2 + 2 + 2 + 2 + 8 * 4 + 2 bytes before Ssiz
    place = head.find(b"pixi")
    return 8 if place < 0 else max(struct.unpack_from("B", head, place + 9 + i)[0] for i in range(head[place + 8] or 1))


# --- Colour profiles --------------------------------------------------------------------------------------------------


def _in_srgb(image: Image.Image, data: bytes | None) -> tuple[Image.Image, str, bool]:
    """The image in sRGB, the name of the profile it had if that is another one, and whether the profile was usable.

    Pixels whose profile is sRGB, as nearly every profile is, stay as they are to the last bit.
    """
    if not data:
        return image, "", True
    mode = {"P": "RGB", "PA": "RGBA", "RGBX": "RGB", "LA": "L"}.get(image.mode, image.mode)
    if image.mode == "P" and "transparency" in image.info:
        mode = "RGBA"
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        name = ImageCms.getProfileDescription(profile).strip() or "without a name"
        inside = mode.removesuffix("A") if mode == "RGBA" else mode
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(profile))
        change = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), inside, "RGB", intent)
        if _is_srgb(change, inside):
            return image, "", True
        colours = ImageCms.applyTransform(image.convert(inside), change)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, "that cannot be used", False
    if colours is None:
        return image, name, False
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        colours.putalpha(alpha)
    return colours, name, True


def _is_srgb(change: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether the transform leaves a grid of colours where they are."""
    if mode not in ("RGB", "L"):
        return False
    levels = np.arange(0, 256, 15, dtype=np.uint8)  # 18 of them, 0 and 255 included
    if mode == "L":
        grid = Image.fromarray(levels[None])
        before = np.repeat(levels[None, :, None], 3, axis=2)
    else:
        before = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        grid = Image.fromarray(before)
    after = ImageCms.applyTransform(grid, change)
    return after is not None and int(np.abs(np.asarray(after).astype(int) - before).max()) <= _SAME_COLOURS
