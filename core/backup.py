"""A backup of everything in one file, taken while the server runs, and putting it back.

A tar file: ``backup.json`` says what it is, then the database, the key of the sessions, and the folders of files and
figures. The database comes first. A file never changes once its row is written, so the files copied later hold every
file that the copied database names.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from core.errors import InvalidInput
from core.models import User
from core.scratch import scratch_folder
from core.version import code_version

ABOUT, KEYS, FOLDERS = "backup.json", ("secret_key",), ("files", "figures")
# Not signing_key.pem: who takes a backup could then sign a log that was made up.

DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}


def write(path: Path) -> dict[str, Any]:
    """Write a backup to ``path``, which must not exist; returns what it holds.

    Raises:
        InvalidInput: there is a file of this name, or ``pg_dump`` is missing or fails.
    """
    if path.exists():
        raise InvalidInput(f"{path} is there already; name another file.")
    aside = path.with_name(f"{path.name}.part")
    about = {
        "made_at": timezone.now().isoformat(),
        "code_version": code_version(),
        "database": connection.vendor,
        "files": "copied" if _is_local() else "left in the bucket",
    }
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds the keys
    try:
        with (
            os.fdopen(handle, "wb") as file,
            tarfile.open(fileobj=file, mode="w") as tar,
            scratch_folder("backup-") as own,
        ):
            (own / ABOUT).write_text(json.dumps(about, indent=2))
            database = own / DATABASES[connection.vendor]
            _dump(database)
            for one in (own / ABOUT, database):
                tar.add(one, one.name)
            count = sum(_add(tar, home_path, name) for home_path, name in _kept())
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return about | {"file": str(path), "files_copied": count, "bytes": path.stat().st_size}


def _is_local() -> bool:
    return settings.STORAGES["default"]["BACKEND"].endswith("FileSystemStorage")


def _kept() -> Iterator[tuple[Path, str]]:
    for name in KEYS:
        yield Path(settings.HOME) / name, name
    for folder in FOLDERS:
        top = Path(settings.HOME) / folder
        for path in sorted(top.rglob("*")):
            yield path, path.relative_to(settings.HOME).as_posix()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> int:
    """1 for a file that was added; one that was removed meanwhile is named by no row any more."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_file():
            tar.add(path, name)
            return 1
    return 0


def _dump(target: Path) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with contextlib.closing(sqlite3.connect(target)) as copy:
            connection.connection.backup(copy)
        return
    _run(["pg_dump", "--format", "custom", "--no-owner", "--file", str(target)])


def _run(command: list[str]) -> None:
    """One of PostgreSQL's programs on the configured database."""
    given = connection.settings_dict
    environment = os.environ | {
        "PGHOST": given["HOST"] or "", "PGPORT": str(given["PORT"] or 5432), "PGUSER": given["USER"] or "",
        "PGPASSWORD": given["PASSWORD"] or "", "PGDATABASE": given["NAME"],
    }  # fmt: skip
    program = shutil.which(command[0])
    if program is None:
        raise InvalidInput(f"{command[0]} is not installed: it comes with PostgreSQL's client programs.")
    done = subprocess.run([program, *command[1:]], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InvalidInput(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


def restore(path: Path, *, replace: bool = False) -> dict[str, Any]:
    """Put a backup back; web server and workers must be stopped. Then migrates to this version.

    Raises:
        InvalidInput: no backup, of another kind of database, or there is data already and ``replace`` is False.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            about = json.loads(_content(tar, ABOUT, path))
            _check(about, path, replace)
            with scratch_folder("restore-") as own:
                tar.extractall(own, filter="data")
                _load(own / DATABASES[connection.vendor])
                count = _put(own)
    except (tarfile.TarError, OSError, json.JSONDecodeError) as error:
        raise InvalidInput(f"{path} cannot be restored: {error}.") from error
    call_command("migrate", verbosity=0)
    return about | {"file": str(path), "files_restored": count}


def _content(tar: tarfile.TarFile, name: str, path: Path) -> bytes:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise InvalidInput(f"{path} is not a backup: it has no {name}.")
    return file.read()


def _check(about: dict[str, Any], path: Path, replace: bool) -> None:
    if about.get("database") != connection.vendor:
        raise InvalidInput(
            f"{path} is a backup of {about.get('database')}, and this installation uses {connection.vendor}: set "
            "DATABASE_URL accordingly."
        )
    if not replace and User._meta.db_table in connection.introspection.table_names() and User.objects.exists():
        raise InvalidInput("there are accounts in this database already; --replace overwrites everything.")


def _load(dumped: Path) -> None:
    if connection.vendor == "postgresql":
        connections.close_all()
        _run(["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", "--dbname",
              connection.settings_dict["NAME"], str(dumped)])  # fmt: skip
        return
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(dumped)) as copy:
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise InvalidInput("the database in this backup is damaged.")
        copy.backup(connection.connection)
    connections.close_all()


def _put(own: Path) -> int:
    """Move keys, files and figures to where they belong; returns how many there are."""
    count = 0
    for path in own.rglob("*"):
        name = PurePosixPath(path.relative_to(own).as_posix())
        if path.is_file() and (name.parts[0] in FOLDERS or str(name) in KEYS):
            target = Path(settings.HOME) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            count += 1
    return count
