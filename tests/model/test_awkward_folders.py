"""Folders, tables and pictures as people have them: read as meant, or refused with line and reason, or left out."""

import io
import json
import struct
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image, ImageCms

from core.errors import InvalidInput
from model.learning.folder import PatchFolder
from model.learning.pictures import read_picture
from model.models import Dataset


def pixels(seed: int, size: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path) -> Path:
    for seed, name in enumerate("abcd"):
        Image.fromarray(pixels(seed)).save(tmp_path / f"{name}.png")
    return tmp_path


def table(folder: Path, text: str, encoding: str = "utf-8") -> None:
    (folder / "labels.csv").write_bytes(text.encode(encoding))


PLAIN = "file,tumour\na.png,1\nb.png,1\nc.png,0\nd.png,0\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ('"file";"tumour";"note, by A, B, and C"\na.png;1;x\nb.png;1;x\nc.png;0;x\nd.png;0;x\n', "utf-8"),
        ("sep=;\r\nfile;tumour\r\na.png;1\r\nb.png;1\r\nc.png;0\r\nd.png;0\r\n", "utf-8"),
        ("sep=,\n" + PLAIN, "utf-8"),
        ('"sep=\t"\n' + PLAIN.replace(",", "\t"), "utf-8-sig"),
        (PLAIN.replace(",", "\t"), "utf-16"),
        (PLAIN.replace("\n", "\r"), "utf-8"),
        (PLAIN.replace("\n", ",\n"), "utf-8"),  # a spreadsheet's empty column
        (PLAIN.replace("1\n", "1,,\n").replace("0\n", "0,\n"), "utf-8"),
        ("file,tumour,\n" + PLAIN.partition("\n")[2], "utf-8"),
    ],
)
def test_tables_of_every_spreadsheet_are_read(folder, text, encoding):
    table(folder, text, encoding)
    assert [(patch.name, patch.tumour) for patch in PatchFolder(folder, size=36)] == [
        ("a.png", True), ("b.png", True), ("c.png", False), ("d.png", False),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("named", ["NFC", "NFD"])
def test_a_name_is_found_in_either_form_of_its_letters(folder, form, named):
    Image.fromarray(pixels(9)).save(folder / unicodedata.normalize(form, "Präparat é.png"))
    table(folder, PLAIN + unicodedata.normalize(named, "Präparat é.png,1\n"))
    assert len(list(PatchFolder(folder, size=36))) == 5


def test_a_name_in_other_capitals_is_found_where_it_can_only_be_one_file(folder):
    table(folder, PLAIN.replace("a.png", "A.PNG"))
    assert next(iter(PatchFolder(folder, size=36))).name == "A.PNG"
    (folder / "a.PNG").write_bytes((folder / "a.png").read_bytes())
    with pytest.raises(InvalidInput, match=r"A\.PNG: no such file"):
        PatchFolder(folder, size=36)


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "x/" * 3000 + "a.png", "a\0.png", "x" * 200_000])
def test_a_name_that_no_file_can_have_is_no_such_file(folder, name):
    table(folder, PLAIN + f'"{name}",1\n')
    with pytest.raises(InvalidInput, match=r"line [67]: .*(no such file|not a CSV table|a NUL character)"):
        PatchFolder(folder, size=36)


@pytest.mark.parametrize("value", ["NA", "na", "N/A", "nan", "None", "null", "-", "?", "unknown", "#N/A"])
@pytest.mark.parametrize("column", ["slide", "group"])
def test_a_group_that_only_says_that_it_is_unknown_is_asked_about(folder, column, value):
    table(folder, f"file,tumour,{column}\na.png,1,{value}\nb.png,1,s2\nc.png,0,{value}\nd.png,0,s4\n")
    with pytest.raises(InvalidInput, match=rf"line 2: '{column}' is .*one slide of all(.|\n)*line 4: "):
        PatchFolder(folder, size=36)


def test_everything_that_is_wrong_is_named_in_one_message(folder):
    Image.fromarray(pixels(0)).save(folder / "copy.png")
    Image.fromarray(pixels(7, 20)).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"no image")
    table(folder, PLAIN + "copy.png,1\nsmall.png,0\nbroken.png,1\n")
    with pytest.raises(InvalidInput) as caught:
        list(PatchFolder(folder, size=36))
    assert [f"line {line}: " in str(caught.value) for line in (6, 7, 8)] == [True] * 3
    table(folder, PLAIN + "copy.png,1\nsmall.png,0\ngone.png,1\n")
    with pytest.raises(InvalidInput) as caught:
        PatchFolder(folder, size=36)
    assert [f"line {line}: " in str(caught.value) for line in (6, 7, 8)] == [True] * 3


@pytest.mark.django_db
def test_what_is_wrong_is_left_out_on_request_and_listed(folder, own_files, capsys):
    Image.fromarray(pixels(0)).save(folder / "copy.png")
    Image.fromarray(pixels(1)).save(folder / "twin.png")
    table(folder, PLAIN + "copy.png,1\ntwin.png,0\ngone.png,1\n")
    with pytest.raises(CommandError, match="line 6: "):
        call_command("import_patches", str(folder), name="x", size=36)
    assert not Dataset.objects.exists()
    out = io.StringIO()
    call_command("import_patches", str(folder), name="x", size=36, skip_bad=True, json=True, stdout=out)
    report = json.loads(out.getvalue())
    assert (report["patches"], report["left_out"]) == (3, 4)
    assert report["why_left_out"] == [
        "line 3: b.png shows the same pixels as twin.png with another label.",
        "line 6: copy.png shows the same pixels as a.png (line 2). Keep one of the two rows.",
        "line 7: twin.png shows the same pixels as b.png (line 3). Keep one of the two rows.",
        "line 8: gone.png: no such file.",
    ]
    assert "Left out: line 8: gone.png" in capsys.readouterr().err
    assert list(Dataset.objects.get().patches.order_by("index").values_list("name", flat=True)) == [
        "a.png", "c.png", "d.png",
    ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["import_patches", "import_pairs", "import_pannuke"])
def test_a_folder_whose_name_is_too_long_is_no_traceback(command):
    with pytest.raises(CommandError, match=r"x{60}.*(too long|no such)"):
        call_command(command, "x" * 300, name="x")


# --- Pictures ---------------------------------------------------------------------------------------------------------


def png16(path: Path, channels: int = 3) -> None:
    """A 16-bit PNG of 12-bit values: nearly black, if its low bytes are cut off."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    values = np.random.default_rng(0).integers(0, 4096, (40, 40 * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in (
        (b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, kind, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""),
    ):  # fmt: skip
        data += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data)


def tiff16(path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (40, 40, 3)).astype("<u2").tobytes()
    tags = [(256, 3, 1, 40), (257, 3, 1, 40), (258, 3, 3, 200), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 300),
            (277, 3, 1, 3), (278, 3, 1, 40), (279, 4, 1, len(values))]  # fmt: skip
    head = (
        b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + b"\0" * 4
    )
    head = head.ljust(200, b"\0") + struct.pack("<HHH", 16, 16, 16)
    path.write_bytes(head.ljust(300, b"\0") + values)


SIXTEEN = {
    "grey.png": lambda path: png16(path, 1),
    "grey-alpha.png": lambda path: png16(path, 2),
    "rgb.png": png16,
    "rgba.png": lambda path: png16(path, 4),
    "rgb.tif": tiff16,
    "rgb.ppm": lambda path: path.write_bytes(b"P6 40 40 4095\n" + b"\1\2" * 4800),
    "grey.pgm": lambda path: path.write_bytes(b"P5 40 40 65535\n" + b"\1\2" * 1600),
    "grey.jp2": lambda path: Image.fromarray(pixels(0)[..., 0].astype(np.uint16) * 16).save(path),
}


@pytest.mark.parametrize("name", SIXTEEN)
def test_more_than_8_bits_per_channel_are_refused_in_every_format(folder, name):
    SIXTEEN[name](folder / name)
    table(folder, PLAIN + f"{name},1\n")
    with pytest.raises(InvalidInput, match=rf"line 6: {name} has (1[26] bits per channel|pixel mode I;16)"):
        list(PatchFolder(folder, size=36))


def swapped_profile() -> bytes:
    """sRGB with red and blue exchanged: far from sRGB, and easy to compute."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = range(132, 132 + 12 * struct.unpack(">I", data[128:132])[0], 12)
    place = {bytes(data[tag : tag + 4]): tag for tag in tags}
    red, blue = place[b"rXYZ"], place[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_another_colour_profile_is_converted_to_srgb(tmp_path, suffix):
    Image.fromarray(pixels(0)).save(tmp_path / f"x.{suffix}", icc_profile=swapped_profile())
    found = read_picture(tmp_path / f"x.{suffix}")
    assert found.profile and found.usable
    np.testing.assert_allclose(found.pixels, pixels(0)[..., ::-1], atol=2)


def test_srgb_itself_leaves_every_byte_as_it_is(tmp_path):
    Image.fromarray(pixels(0)).save(tmp_path / "x.png", icc_profile=SRGB)
    found = read_picture(tmp_path / "x.png")
    assert not found.profile and np.array_equal(found.pixels, pixels(0))


def test_a_profile_that_cannot_be_used_is_left_out_and_counted(folder):
    Image.fromarray(pixels(8)).save(folder / "x.png", icc_profile=b"no profile at all" * 20)
    Image.fromarray(pixels(9)).save(folder / "y.png", icc_profile=swapped_profile())
    table(folder, PLAIN + "x.png,1\ny.png,0\n")
    reader = PatchFolder(folder, size=36)
    assert np.array_equal(list(reader)[4].pixels, pixels(8)[2:38, 2:38])
    told = reader.summary.as_dict()
    assert (told["colours_converted"], told["profiles_ignored"]) == (1, 1) and "left_out" not in told


def test_a_phones_jpeg_gives_its_main_picture_and_other_files_of_several_are_refused(folder):
    main, preview = Image.fromarray(pixels(5)), Image.fromarray(pixels(6, 20))
    main.save(folder / "phone.jpg", "MPO", save_all=True, append_images=[preview], quality=95)
    plain = io.BytesIO()
    main.save(plain, "JPEG", quality=95)
    assert np.array_equal(read_picture(folder / "phone.jpg").pixels, np.asarray(Image.open(plain)))
    main.save(folder / "two.gif", save_all=True, append_images=[Image.fromarray(pixels(7))])
    main.save(folder / "two.tif", save_all=True, append_images=[Image.fromarray(pixels(7))])
    for name in ("two.gif", "two.tif"):
        with pytest.raises(InvalidInput, match="holds 2 pictures"):
            read_picture(folder / name)
