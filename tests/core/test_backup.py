"""A backup taken in use, everything lost, and put back: exports equal byte for byte."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent

WRITES = """
import sqlite3, sys
import psycopg
connect = psycopg.connect if "://" in sys.argv[1] else lambda name: sqlite3.connect(name, timeout=30)
with connect(sys.argv[1]) as database:
    database.execute("CREATE TABLE beside (n integer)")
while True:
    with connect(sys.argv[1]) as database:
        database.execute("INSERT INTO beside VALUES (1)")
"""


class Installation:
    """A home of its own, worked on by processes of their own."""

    def __init__(self, home: Path, database: str | None):
        self.home, self.database = home, database
        self.environment = os.environ | {"BLINDSPOT_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
        self.environment.pop("DATABASE_URL", None)
        if database:
            self.environment["DATABASE_URL"] = database

    def manage(self, *arguments: str) -> str:
        return self._python("manage.py", *arguments)

    def study(self) -> None:
        self._python("-m", "tests.unblinded_study")

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def exported(self, folder: Path) -> dict[str, bytes]:
        self.manage("export_study", "answered", str(folder))
        return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_exports_are_equal_byte_for_byte_after_a_restore_of_a_backup_taken_in_use(tmp_path, own_database):
    first, second = (Installation(tmp_path / name, own_database()) for name in ("first", "second"))
    first.study()
    (first.home / "figures").mkdir(exist_ok=True)
    (first.home / "figures" / "drawn.svg").write_text("<svg/>")
    before = first.exported(tmp_path / "before")
    writer = subprocess.Popen([sys.executable, "-c", WRITES, first.database or str(first.home / "blindspot.sqlite3")])
    try:
        told = json.loads(first.manage("backup", str(tmp_path / "b.tar"), "--json"))
    finally:
        writer.kill()
        writer.wait()
    assert told["files_copied"] > 10 and (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    second.manage("restore", str(tmp_path / "b.tar"))
    shutil.copy(first.home / "signing_key.pem", second.home)  # kept apart, as the documents say
    assert second.exported(tmp_path / "after") == before
    assert (second.home / "figures" / "drawn.svg").exists()
    assert (second.home / "secret_key").read_text() == (first.home / "secret_key").read_text()
    with pytest.raises(AssertionError, match="--replace"):
        second.manage("restore", str(tmp_path / "b.tar"))


def tar_of(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.django_db
def test_what_is_no_backup_is_refused(tmp_path):
    (tmp_path / "text").write_text("nothing")
    other = "postgresql" if connection.vendor == "sqlite" else "sqlite"
    for path, reason in (
        (tmp_path / "none", "cannot be restored"),
        (tmp_path / "text", "cannot be restored"),
        (tar_of(tmp_path / "a.tar", a=b"x"), "is not a backup"),
        (tar_of(tmp_path / "b.tar", backup__json=json.dumps({"database": other}).encode()), f"is a backup of {other}"),
    ):
        with pytest.raises(CommandError, match=reason):
            call_command("restore", str(path))


def test_a_backup_overwrites_no_file(tmp_path):
    (tmp_path / "b.tar").write_text("older")
    with pytest.raises(CommandError, match="is there already"):
        call_command("backup", str(tmp_path / "b.tar"))
    assert (tmp_path / "b.tar").read_text() == "older"
