# ruff: noqa: E501
"""Which image formats are read, and that nothing else of Pillow is reached."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import decoders
from core.errors import InvalidInput
from model.learning.pictures import read_picture

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
HEADS = {  # of formats that Pillow reads and does not write
    "PSD": b"8BPS\x00\x01" + bytes(6) + b"\x00\x03" + (40).to_bytes(4) * 2 + b"\x00\x08\x00\x03" + bytes(14),
    "WMF": b"\xd7\xcd\xc6\x9a\x00\x00" + bytes(4) + b"\x28\x00\x28\x00\x60\x00" + bytes(6) + b"\x01\x00\x09\x00" + bytes(400),
    "FLI": (600).to_bytes(4, "little") + b"\x11\xaf\x01\x00\x28\x00\x28\x00\x08\x00\x03\x00" + bytes(700),
    "FITS": b"SIMPLE  =                    T".ljust(80) + b"BITPIX  = 8".ljust(80) + b"END".ljust(2720) + bytes(2880),
}  # fmt: skip


def bytes_as(kind: str) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind)
    return file.getvalue()


def written_by_pillow() -> dict[str, bytes]:
    """The picture in every other format that Pillow both reads and writes; some have no handler here, or no such mode."""
    Image.init()
    written = {}
    for kind in sorted((set(Image.SAVE) & set(Image.OPEN)) - set(decoders.FORMATS)):
        with contextlib.suppress(OSError, ValueError, KeyError):
            written[kind] = bytes_as(kind)
    return written


OTHERS = written_by_pillow()


def test_the_other_formats_are_many():
    assert {"EPS", "PCX", "TGA", "ICO"} <= set(OTHERS)


@pytest.mark.parametrize("kind", OTHERS)
def test_another_format_named_png_is_refused(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(OTHERS[kind])
    with pytest.raises(InvalidInput, match="is not an image of a kind that is read here"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("kind", HEADS)
def test_a_format_that_pillow_only_reads_is_refused(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(HEADS[kind])
    with pytest.raises(InvalidInput, match="is not an image of a kind that is read here"):
        read_picture(tmp_path / "a.png")


def test_no_upload_starts_ghostscript(tmp_path, monkeypatch):
    """An EPS named a.png: whatever is called ``gs`` here would leave a mark."""
    mark, programs = tmp_path / "started", tmp_path / "bin"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    (tmp_path / "a.png").write_bytes(bytes_as("EPS"))
    with pytest.raises(InvalidInput):
        read_picture(tmp_path / "a.png")
    assert not mark.exists()
    with contextlib.suppress(Exception), Image.open(tmp_path / "a.png") as image:
        image.load()
    assert mark.exists(), "this test would not see Ghostscript"


@pytest.mark.parametrize("kind", decoders.FORMATS)
def test_every_documented_format_is_read(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(bytes_as(kind))
    assert read_picture(tmp_path / "a.png").pixels.shape == (40, 40, 3)


def test_pillow_opens_files_in_one_place():
    """Elsewhere a call could leave ``formats`` out."""
    found = [
        str(path.relative_to(ROOT))
        for wing in ("core", "jobs", "model", "attacks", "study", "config")
        for path in (ROOT / wing).rglob("*.py")
        if re.search(r"\bImage\.open\(|\bimread\(|from PIL.Image import", path.read_text())
    ]
    assert found == ["core/decoders.py"]


def test_the_formats_are_documented():
    assert decoders.NAMES.rpartition(" or ")[0] in (ROOT / "docs/deployment.md").read_text()


def test_an_image_with_too_many_pixels_is_refused_by_its_header_alone(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (4_100, 4_000)).save(path)
    path.write_bytes(path.read_bytes()[:60])  # nothing to decode
    with pytest.raises(InvalidInput, match="4,100 x 4,000 pixels and is too large for a patch: up to 16,000,000"):
        read_picture(path)
