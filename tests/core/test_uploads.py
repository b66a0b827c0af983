"""Zip files as operating systems and file managers make them, and damaged ones: read, or refused by name."""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from core import uploads
from core.errors import InvalidInput

pytestmark = pytest.mark.django_db


def zipped(*entries: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def unpack(data: bytes, called: str = "mine.zip") -> dict[str, bytes]:
    name = default_storage.save("uploads/test.zip", ContentFile(data))
    try:
        with uploads.unpacked(name, marker="labels.csv", called=called) as folder:
            return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    finally:
        default_storage.delete(name)


TABLE = ("labels.csv", b"file,tumour\n")
PLAIN = {"labels.csv": b"file,tumour\n", "a.png": b"x"}


def with_raw_names(data: bytes, **names: bytes) -> bytes:
    """The archive with other bytes of equal length as names, and no flag that they are UTF-8."""
    for old, new in names.items():
        assert len(old) == len(new)
        data = data.replace(old.encode(), new)
    return data


@pytest.mark.parametrize(
    "entries",
    [
        [("set\\", b""), ("set\\labels.csv", TABLE[1]), ("set\\a.png", b"x")],
        [
            ("set/", b""),
            ("set/labels.csv", TABLE[1]),
            ("set/a.png", b"x"),
            ("._set", b"?"),
            ("__MACOSX/set/._a.png", b"?"),
        ],
        [("set/labels.csv", TABLE[1]), ("set/a.png", b"x"), ("set/._a.png", b"?"), ("set/.DS_Store", b"?")],
        [("set/labels.csv", TABLE[1]), ("set/a.png", b"x"), (".gitattributes", b"?"), ("Icon\r", b"?")],
        [("set/labels.csv", TABLE[1]), ("set/a.png", b"x"), ("README.txt", b"?"), ("other/b.png", b"?")],
        [("./labels.csv", TABLE[1]), ("./a.png", b"x"), ("./", b"")],
        [TABLE, ("a.png", b"x"), ("Thumbs.db", b"?"), ("desktop.ini", b"?"), (".git/config", b"?")],
    ],
)
def test_folders_zipped_on_windows_macos_and_linux_are_unpacked(entries):
    assert unpack(zipped(*entries)) == PLAIN


def test_names_come_out_composed_whatever_the_archive_says_of_its_letters():
    wanted = "Präparat.png"
    apart = unicodedata.normalize("NFD", wanted)
    assert unpack(zipped(TABLE, (apart, b"x")))[wanted] == b"x"
    raw = with_raw_names(zipped(TABLE, ("PrXXparat.png", b"x")), **{"PrXXparat.png": wanted.encode()})
    assert unpack(raw)[wanted] == b"x"  # macOS: UTF-8 without the flag
    raw = with_raw_names(zipped(TABLE, ("PrXparat.png", b"x")), **{"PrXparat.png": "Präparat.png".encode("cp437")})
    assert unpack(raw)[wanted] == b"x"  # DOS


def test_info_zips_unicode_name_counts_before_the_code_page():
    info, name = zipfile.ZipInfo("M?.png"), "Ю.png".encode()
    info.extra = struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(b"M?.png")) + name
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(*TABLE)
        archive.writestr(info, b"x")
    assert "Ю.png" in unpack(buffer.getvalue())


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([TABLE, ("../a.png", b"x")], "names a file outside itself: ../a.png"),
        ([TABLE, ("..\\a.png", b"x")], "names a file outside itself"),
        ([TABLE, ("/etc/passwd", b"x")], "names a file outside itself"),
        ([TABLE, ("C:\\a.png", b"x")], "names a file outside itself"),
        ([TABLE, (".", b"x")], "could not be unpacked: it holds a file without a name"),
        ([TABLE, ("a", b"x"), ("a/b.png", b"x")], "holds a twice"),
        ([TABLE, ("x" * 300 + ".png", b"x")], r"could not be unpacked: x+… \(304 letters\): File name too long"),
        ([("one/labels.csv", b""), ("two/labels.csv", b"")], "has several folders with a labels.csv"),
        ([("a.png", b"x")], "has no labels.csv"),
        ([], "has no labels.csv"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_by_name(entries, message):
    with pytest.raises(InvalidInput, match=f"mine.zip {message}"):
        unpack(zipped(*entries))


def test_a_link_is_refused():
    link = zipfile.ZipInfo("a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(*TABLE)
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidInput, match="holds a link"):
        unpack(buffer.getvalue())


@pytest.mark.parametrize("path", ["x" * 400, "a\0b", "/" * 5000])
def test_a_path_that_no_folder_can_have_is_refused_with_its_field(path, settings, tmp_path):
    settings.IMPORT_ROOTS = [str(tmp_path)]
    with pytest.raises(InvalidInput, match=r"^folders: "):
        uploads.allowed_path(path, field="folders")
    assert list(Path(tmp_path).iterdir()) == []
