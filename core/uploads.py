"""Uploaded zip files: stored until their job is done, then unpacked safely; and folders that pages may import."""

import contextlib
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.storage import default_storage

from core.errors import InvalidInput

MAX_FILES = 500_000
_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def keep(file: Any) -> str:
    """Store an uploaded zip file under a random name; returns that name.

    Raises:
        InvalidInput: it is not a zip file, or larger than ``UPLOAD_MAX_BYTES``.
    """
    if file.size > settings.UPLOAD_MAX_BYTES:
        raise InvalidInput(
            f"{file.name} has {file.size / 1e6:.0f} MB; up to {settings.UPLOAD_MAX_BYTES / 1e6:.0f} MB are "
            "taken. Put the folder on the server and give its path.",
            field="upload",
        )
    if not zipfile.is_zipfile(file):
        raise InvalidInput(f"{file.name} is not a zip file.", field="upload")
    file.seek(0)
    return default_storage.save(f"uploads/{uuid4().hex}.zip", file)


def forget(name: str) -> None:
    if name:
        default_storage.delete(name)


@contextlib.contextmanager
def unpacked(name: str, *, marker: str, called: str) -> Iterator[Path]:
    """Unpack a stored zip file for the time of the block; yields the folder that holds ``marker``.

    Raises:
        InvalidInput: the upload has gone, is damaged, encrypted, too large, names files outside itself, or does not
            hold ``marker`` at its top or in its only folder. An error that the block raises is passed on with the
            name ``called`` in place of the temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="blindspot-upload-") as folder:
        try:
            with default_storage.open(name) as file, zipfile.ZipFile(file) as archive:
                _unpack(archive, Path(folder), called)
        except FileNotFoundError:
            raise InvalidInput(f"{called}: the upload is no longer there; upload it again.") from None
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
            raise InvalidInput(f"{called} could not be unpacked: {error}.") from error
        top = _holding(Path(folder), marker, called)
        try:
            yield top
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(f"{top}{os.sep}", f"{called}: ").replace(str(top), called)) from error


def _unpack(archive: zipfile.ZipFile, folder: Path, called: str) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _ignored(entry.filename)]
    if len(entries) > MAX_FILES:
        raise InvalidInput(f"{called} holds {len(entries)} files; up to {MAX_FILES} are taken.")
    size = sum(entry.file_size for entry in entries)
    if size > settings.UPLOAD_MAX_UNPACKED_BYTES:
        limit = settings.UPLOAD_MAX_UNPACKED_BYTES / 1e6
        raise InvalidInput(f"{called} unpacks to {size / 1e6:.0f} MB; up to {limit:.0f} MB are taken.")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise InvalidInput(f"{called} names a file outside itself: {entry.filename}.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InvalidInput(f"{called} holds a link ({entry.filename}); only files are taken.")
        target = folder.joinpath(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        # zipfile reads no more than the size that the archive states, which is what was checked above.
        with archive.open(entry) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)


def _ignored(name: str) -> bool:
    return any(part in _IGNORED for part in PurePosixPath(name).parts)


def _holding(folder: Path, marker: str, called: str) -> Path:
    """The folder that holds ``marker``: the top one, or the only one in it."""
    inside = sorted(folder.iterdir())
    for candidate in (folder, *(path for path in inside if path.is_dir() and len(inside) == 1)):
        if (candidate / marker).is_file():
            return candidate
    content = ", ".join(path.name for path in inside[:5]) or "nothing"
    raise InvalidInput(f"{called} has no {marker} at its top or in its one folder; it holds {content}.")


def allowed_path(path: str, *, field: str = "path") -> Path:
    """A folder on the server that pages may read: inside one of ``IMPORT_ROOTS``, links followed.

    Raises:
        InvalidInput: outside them (without saying whether it exists), or missing.
    """
    roots = [Path(root).resolve() for root in settings.IMPORT_ROOTS]
    folder = (roots[0] / path).resolve() if roots else Path(path).resolve()
    if not any(folder.is_relative_to(root) for root in roots):
        raise InvalidInput(
            f"pages read only folders inside {', '.join(map(str, roots)) or 'no folder at all'}. "
            "Put it there, or name another folder in IMPORT_ROOTS, or use the command line.",
            field=field,
        )
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {folder}.", field=field)
    return folder
