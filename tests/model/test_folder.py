"""A folder with labels.csv: what is read, and what is refused by file and line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core import decoders
from core.errors import InvalidInput
from model.learning.folder import PatchFolder, Summary, read_image


def pixels(seed: int, height: int = 64, width: int | None = None) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width or height, 3), dtype=np.uint8)


def save(path: Path, seed: int = 0, **shape) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed, **shape)).save(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three patches of 64 x 64: two of tumour, one without."""
    for seed, name in enumerate(["a.png", "sub/b.png", "c.png"]):
        save(tmp_path / name, seed)
    table(tmp_path, "file,tumour", "a.png,1", "sub/b.png,0", "c.png,1")
    return tmp_path


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> None:
    (folder / "labels.csv").write_bytes("\r\n".join([*lines, ""]).encode(encoding))


def read(folder: Path, size: int = 64) -> list:
    return list(PatchFolder(folder, size=size))


def test_names_labels_and_pixels_come_as_they_stand(folder):
    reader = PatchFolder(folder, size=64)
    patches = list(reader)
    assert [(p.name, p.tumour, p.group) for p in patches] == [
        ("a.png", True, ""),
        ("sub/b.png", False, ""),
        ("c.png", True, ""),
    ]
    for seed, patch in enumerate(patches):
        np.testing.assert_array_equal(patch.pixels, pixels(seed))
    assert reader.summary == Summary(positives=2, negatives=1, groups=0)
    assert all(p.tumour_cells is None and p.tumour_mask is None for p in patches)


def test_larger_images_are_cropped_centrally(folder):
    save(folder / "c.png", 9, height=100, width=81)
    patch = read(folder)[2]
    np.testing.assert_array_equal(patch.pixels, pixels(9, 100, 81)[18:82, 8:72])


@pytest.mark.parametrize(
    ("columns", "rows", "groups"),
    [
        ("file,tumour,slide", ["a.png,1,s1", "c.png,0,s2"], ["s1", "s2"]),
        ("group,tumour,file", ["p1,1,a.png", "p2,0,c.png"], ["p1", "p2"]),
        ("file,tumour,slide,group,note", ["a.png,1,s1,p1,x", "c.png,0,s2,p1,"], ["p1", "p1"]),
        (" File ,TUMOUR,Slide", [" a.png , 1 , s1 ", "c.png,0,s1"], ["s1", "s1"]),
        ("file;tumour;slide", ["a.png;1;s1", "c.png;0;s2"], ["s1", "s2"]),
        ("file\ttumour", ["a.png\t1", "c.png\t0"], ["", ""]),
    ],
)
def test_columns_may_come_in_any_order_and_from_any_spreadsheet(folder, columns, rows, groups):
    table(folder, columns, *rows)
    assert [patch.group for patch in read(folder)] == groups


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_umlauts_and_blank_lines_do_no_harm(folder, encoding):
    save(folder / "Präparat ü.png", 7)
    table(folder, "file,tumour", "a.png,0", "", "Präparat ü.png,1", ",", encoding=encoding)
    assert [patch.name for patch in read(folder)] == ["a.png", "Präparat ü.png"]


def test_backslashes_of_windows_paths_are_understood(folder):
    table(folder, "file,tumour", "sub\\b.png,0", "a.png,1")
    assert [patch.name for patch in read(folder)] == ["sub/b.png", "a.png"]


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "jpg", "webp"])
def test_any_format_that_pillow_reads(tmp_path, suffix):
    np.testing.assert_allclose(read_image(save(tmp_path / f"x.{suffix}")).shape, (64, 64, 3))


def test_transparency_is_laid_over_white_and_grey_becomes_rgb(tmp_path):
    clear = np.zeros((40, 40, 4), np.uint8)
    clear[:20, :, 3] = 255  # black above, transparent below
    Image.fromarray(clear).save(tmp_path / "clear.png")
    found = read_image(tmp_path / "clear.png")
    assert (found[:20] == 0).all()
    assert (found[20:] == 255).all()
    Image.fromarray(np.full((40, 40), 77, np.uint8)).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 77).all()


BAD_TABLES = {
    "no rows": (["file,tumour"], r"labels\.csv: none of the 0 rows has tumour = 1"),
    "empty": ([""], r"labels\.csv, line 1: column 'file' is missing"),
    "no tumour column": (["file,label", "a.png,1"], r"line 1: column 'tumour' is missing; found: file, label"),
    "no file column": (["image,tumour", "a.png,1"], r"line 1: column 'file' is missing"),
    "column twice": (["file,tumour,tumour", "a.png,1,0"], r"line 1: column 'tumour' stands there twice"),
    "label 2": (["file,tumour", "a.png,1", "c.png,2"], r"line 3: tumour is '2' for c\.png"),
    "label word": (["file,tumour", "a.png,yes"], r"line 2: tumour is 'yes' for a\.png; it must be 0 or 1"),
    "label empty": (["file,tumour", "a.png,"], r"line 2: tumour is ''"),
    "file empty": (["file,tumour", ",1"], r"line 2: 'file' is empty"),
    "field missing": (["file,tumour", "a.png"], r"line 2: the number of fields differs"),
    "field too many": (["file,tumour", "a.png,1,x"], r"line 2: the number of fields differs"),
    "file missing": (["file,tumour", "a.png,1", "gone.png,0"], r"line 3: gone\.png: no such file"),
    "a folder": (["file,tumour", "sub,1"], r"line 2: sub: no such file"),
    "named twice": (["file,tumour", "a.png,1", "c.png,0", "./a.png,1"], r"line 4: \./a\.png is named twice.*line 2"),
    "out of the folder": (["file,tumour", "../x.png,1"], r"line 2: \.\./x\.png lies outside the folder"),
    "absolute": (["file,tumour", "/etc/hostname,1"], r"line 2: /etc/hostname lies outside"),
    "slide left out": (["file,tumour,slide", "a.png,1,s", "c.png,0,"], r"line 3: 'slide' is empty for c\.png"),
    "no positive": (["file,tumour", "a.png,0", "c.png,0"], r"none of the 2 rows has tumour = 1"),
    "no negative": (["file,tumour", "a.png,1"], r"none of the 1 rows has tumour = 0"),
    "open quote": (["file,tumour", '"a.png,1'], r"line 2: not a CSV table"),
    "nul": (["file,tumour", "a\0.png,1"], r"line 2: "),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_wrong_table_is_refused_with_its_line(folder, case):
    lines, message = BAD_TABLES[case]
    save(folder.parent / "x.png")
    table(folder, *lines)
    with pytest.raises(InvalidInput, match=message):
        PatchFolder(folder, size=64)


def test_all_problems_of_a_table_come_together_up_to_twenty(folder):
    table(folder, "file,tumour", *[f"no{k}.png,1" for k in range(23)])
    with pytest.raises(InvalidInput) as caught:
        PatchFolder(folder)
    message = str(caught.value)
    assert [f"line {k}: " in message for k in (2, 21, 22)] == [True, True, False]
    assert "and 3 more" in message


def test_a_link_out_of_the_folder_is_refused(folder):
    secret = save(folder.parent / "outside" / "x.png")
    (folder / "link.png").symlink_to(secret)
    table(folder, "file,tumour", "link.png,1", "a.png,0")
    with pytest.raises(InvalidInput, match=r"line 2: link\.png lies outside"):
        PatchFolder(folder)


def test_no_folder_no_table_and_another_encoding_are_named(tmp_path):
    with pytest.raises(InvalidInput, match="no such folder"):
        PatchFolder(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match=r"labels\.csv: no such file"):
        PatchFolder(tmp_path)
    table(tmp_path, "file,tumour", "ä.png,1", encoding="latin-1")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        PatchFolder(tmp_path)


def test_two_files_with_the_same_pixels_are_refused_whatever_their_format(folder):
    Image.fromarray(pixels(0)).save(folder / "copy.bmp")
    table(folder, "file,tumour", "a.png,1", "sub/b.png,0", "copy.bmp,0")
    with pytest.raises(InvalidInput, match=r"line 4: copy\.bmp shows the same pixels as a\.png \(line 2\)"):
        read(folder)


def _text(path: Path) -> None:
    path.write_text("no image")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def _sixteen_bits(path: Path) -> None:
    Image.fromarray(np.full((64, 64), 40000, np.uint16)).save(path)


def _two_frames(path: Path) -> None:
    frames = [Image.fromarray(pixels(k)) for k in range(2)]
    frames[0].save(path, format="TIFF", save_all=True, append_images=frames[1:])


def _small(path: Path) -> None:
    save(path, height=64, width=63)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_text, "is not an image"),
        (_cut, "cannot be read as an image"),
        (_sixteen_bits, "8-bit RGB"),
        (_two_frames, "holds 2 pictures"),
        (_small, "is 63 x 64 pixels, smaller than 64 x 64"),
    ],
)
def test_an_unusable_image_is_named_with_its_line(folder, spoil, message):
    spoil(folder / "c.png")
    with pytest.raises(InvalidInput, match=rf"labels\.csv, line 4: c\.png.*{message}"):
        read(folder)


def test_a_picture_too_large_to_be_a_patch_is_refused(folder, monkeypatch):
    monkeypatch.setattr(decoders, "MAX_PIXELS", 64 * 63)
    with pytest.raises(InvalidInput, match=r"line 2: a\.png.*too large"):
        read(folder)


@settings(max_examples=200, deadline=None)
@given(content=st.text(max_size=200))
def test_any_text_is_a_table_or_bad_input(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text("file,tumour\n" + content, encoding="utf-8")
    with pytest.raises(InvalidInput):  # no such files exist, so nothing can be right
        PatchFolder(folder)


def test_real_prostate_patches_are_read_with_their_slides(real_prostate):
    reader = PatchFolder(real_prostate)
    assert (len(reader), sum(row.tumour for row in reader.rows)) == (1304, 667)
    assert len({row.group for row in reader.rows}) == 110
    patch = next(iter(reader))
    assert patch.pixels.shape == (224, 224, 3)
    np.testing.assert_array_equal(patch.pixels, read_image(reader.rows[0].path)[16:240, 16:240])
