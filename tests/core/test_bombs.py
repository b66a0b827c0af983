"""Small files that would be large: refused with the limit's name, in as much memory as any other."""

import io
import os
import re
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from core import scratch, tables, uploads
from core.errors import InvalidInput
from core.tables import Table

ROOT = Path(__file__).resolve().parent.parent.parent
GREW_MB = 120

CHILD = """
import resource, sys
import django
django.setup()
from pathlib import Path
from django.core.files import File
from django.core.files.storage import default_storage
from core import uploads
from core.errors import InvalidInput
from model.learning.folder import PatchFolder

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

with open(sys.argv[1], "rb") as file:
    name = default_storage.save("uploads/bomb.zip", File(file))
before = peak()
try:
    with uploads.unpacked(name, marker="labels.csv", called="bomb.zip") as folder:
        for patch in PatchFolder(folder, size=36):
            pass
    print("taken")
except InvalidInput as error:
    print(error)
print(peak() - before)
"""


def zeros(archive: zipfile.ZipFile, name: str, megabytes: int) -> None:
    with archive.open(name, "w", force_zip64=True) as file:
        for _ in range(megabytes):
            file.write(bytes(1_000_000))


def large_table(archive: zipfile.ZipFile) -> None:
    """511 kB that unpack to 525 MB of a table."""
    zeros(archive, "labels.csv", 525)


def large_image(archive: zipfile.ZipFile) -> None:
    file = io.BytesIO()
    Image.new("RGB", (9_400, 9_400)).save(file, "PNG")
    archive.writestr("labels.csv", "file,tumour\na.png,1\nb.png,0\n")
    archive.writestr("b.png", b"")
    archive.writestr("a.png", file.getvalue())


def many_large_files(archive: zipfile.ZipFile) -> None:
    """3 MB that unpack to 3 GB."""
    archive.writestr("labels.csv", "file,tumour\n0.png,1\n")
    for number in range(20):
        zeros(archive, f"{number}.png", 150)


def long_table(archive: zipfile.ZipFile) -> None:
    """Not small enough to be told by its ratio."""
    archive.writestr(
        "labels.csv", "file,tumour\n" + "".join(f"{n * 7919 % 10_007}-{n}.png,1\n" for n in range(2_500_000))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (large_table, r"bomb.zip: labels.csv unpacks to 525 MB; a file may have up to 200 MB"),
        (large_image, r"line 2: a.png has 9,400 x 9,400 pixels and is too large for a patch: up to 16,000,000"),
        (many_large_files, r"bomb.zip unpacks to 3000 MB, \d+ times what it holds; up to 100 times are taken"),
        (long_table, r"labels.csv has more than 32 MB"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bomb_is_refused_in_little_memory_and_nothing_of_it_stays(tmp_path, made, message):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        made(archive)
    assert_refused(bomb, message)


@pytest.mark.slow
def test_a_table_of_contents_larger_than_any_archives_is_refused_unread(tmp_path):
    """Two and a half million files that are not there; zipfile would keep an object of half a kilobyte for each."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    contents = entry * 2_500_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(contents), 0, 0)
    (tmp_path / "bomb.zip").write_bytes(contents + end)
    assert_refused(tmp_path / "bomb.zip", r"bomb.zip has a table of contents of 118 MB; up to 50 MB are taken")


def assert_refused(bomb: Path, message: str) -> None:
    home = bomb.parent / "home"
    environment = os.environ | {"BLINDSPOT_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
    command = [sys.executable, "-c", CHILD, str(bomb)]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=True)
    *said, grown = told.stdout.splitlines()
    assert re.search(message, " ".join(said)), told.stdout
    assert float(grown) < GREW_MB, told.stdout
    assert list((home / "tmp").iterdir()) == []


def test_a_table_of_too_many_rows_is_refused_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 3)
    (tmp_path / "labels.csv").write_text("file\n" + "a\n" * 4)
    with pytest.raises(InvalidInput, match=r"labels\.csv has more than 3 rows"):
        list(Table(tmp_path / "labels.csv", ("file",)).rows())


@pytest.fixture
def stored(settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "tmp"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.csv", "file,tumour\n")
        archive.writestr("a.png", "x" * 1000)
    name = default_storage.save("uploads/t.zip", ContentFile(file.getvalue()))
    yield name
    default_storage.delete(name)


def test_an_archive_larger_than_half_of_what_the_disk_has_left_is_refused(stored, monkeypatch):
    monkeypatch.setattr(
        uploads.shutil, "disk_usage", lambda folder: uploads.shutil._ntuple_diskusage(10**9, 10**9, 1500)
    )
    with (
        pytest.raises(InvalidInput, match="the server's disk has only"),
        uploads.unpacked(stored, marker="labels.csv", called="t.zip"),
    ):
        pass


def test_archives_are_unpacked_in_the_home_and_a_killed_ones_folder_is_removed_by_the_next(stored, settings):
    top = Path(settings.FILE_UPLOAD_TEMP_DIR)
    left = top / "upload-left"
    left.mkdir(parents=True)
    with uploads.unpacked(stored, marker="labels.csv", called="t.zip") as folder:
        assert folder.parent == top and left.exists()  # it may be another's that has just begun
        old = time.time() - 2 * scratch.FRESH_S
        for one in (left, folder):
            os.utime(one, (old, old))
        with uploads.unpacked(stored, marker="labels.csv", called="t.zip"):
            assert folder.exists() and not left.exists()  # a living one's stays
    assert list(top.iterdir()) == []
