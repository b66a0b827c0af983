"""Files that came through the browser: kept in the file store until their job is done, unpacked with care."""

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
    """Store an uploaded zip file under a name of ours; the name.

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
    """The folder of a kept zip file that holds ``marker``, unpacked for the time of the block.

    Raises:
        InvalidInput: the upload has gone, is damaged, encrypted, too large, names files outside itself, or does not
            hold
            ``marker`` at its top or in its one folder. What the block raises names the file ``called`` rather than
            the folder it was unpacked to.
    """
    with tempfile.TemporaryDirectory(prefix="blindspot-upload-") as folder:
        try:
            with default_storage.open(name) as file, zipfile.ZipFile(file) as archive:
                _unpack(archive, Path(folder), called)
        except FileNotFoundError:
            raise InvalidInput(f"{called}: the upload is no longer there; upload it again.") from None
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
            raise InvalidInput(f"{called} could not be unpacked: {error}.") from error
        found = _holding(Path(folder), marker, called)
        try:
            yield found
        except InvalidInput as error:
            raise InvalidInput(
                str(error).replace(f"{found}{os.sep}", f"{called}: ").replace(str(found), called)
            ) from error


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
    """Where ``marker`` lies: at the top, or in the only folder."""
    inside = sorted(folder.iterdir())
    for place in (folder, *(one for one in inside if one.is_dir() and len(inside) == 1)):
        if (place / marker).is_file():
            return place
    found = ", ".join(one.name for one in inside[:5]) or "nothing"
    raise InvalidInput(f"{called} has no {marker} at its top or in its one folder; it holds {found}.")


def allowed_path(path: str, *, field: str = "path") -> Path:
    """A folder on the server that pages may read: inside one of ``IMPORT_ROOTS``, links followed.

    Raises:
        InvalidInput: outside them (whether or not it exists is not told), or missing.
    """
    roots = [Path(root).resolve() for root in settings.IMPORT_ROOTS]
    found = (roots[0] / path).resolve() if roots else Path(path).resolve()
    if not any(found.is_relative_to(root) for root in roots):
        raise InvalidInput(
            f"pages read only folders inside {', '.join(map(str, roots)) or 'no folder at all'}. "
            "Put it there, or name another folder in IMPORT_ROOTS, or use the command line.",
            field=field,
        )
    if not found.is_dir():
        raise InvalidInput(f"there is no folder {found}.", field=field)
    return found
