"""Uploaded files: stored until their job is done; zip files are unpacked safely; and folders that pages may import."""

import contextlib
import io
import os
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils import timezone

from core.errors import InvalidInput
from core.scratch import scratch_folder

FOLDER = "uploads"
MAX_FILES = 500_000
MAX_FILE_BYTES = 200_000_000
"""Of one file in an archive: far more than any patch has."""
MAX_RATIO, SMALL_ARCHIVE = 100, 50_000_000
"""Unpacked by packed bytes, of an archive that unpacks to more than this: images hardly shrink, zeros do."""
MAX_DIRECTORY_BYTES = 100 * MAX_FILES
"""Of an archive's table of contents, which zipfile reads as a whole, with an object for each 46 bytes of it."""
_IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini", "Icon", "$RECYCLE.BIN", "System Volume Information")


def no_zip(file: Any) -> str:
    """What is wrong with an uploaded zip file; "" if nothing is."""
    return "" if _is_zip(file) else f"{file.name} is not a zip file."


def keep(
    file: Any, *, field: str = "upload", ending: str = ".zip", wrong: Callable[[Any], str] = no_zip, advice: str = ""
) -> str:
    """Store an uploaded file under a random name with this ``ending``; returns that name.

    Raises:
        InvalidInput: ``wrong`` says what is wrong with it, or it is larger than ``UPLOAD_MAX_BYTES``.
    """
    if file.size > settings.UPLOAD_MAX_BYTES:
        raise InvalidInput(
            f"{file.name} has {file.size / 1e6:.0f} MB; up to {settings.UPLOAD_MAX_BYTES / 1e6:.0f} MB are "
            f"taken. {advice or 'Put the folder on the server and give its path.'}",
            field=field,
        )
    if told := wrong(file):
        raise InvalidInput(told, field=field)
    if isinstance(file, StoredUpload):
        return file.stored
    file.seek(0)
    return default_storage.save(f"{FOLDER}/{uuid4().hex}{ending}", file)


class StoredUpload(File):
    """An upload that was stored earlier, in place of one that is sent now."""

    def __init__(self, stored: str, called: str) -> None:
        super().__init__(default_storage.open(stored), name=called)
        self.stored = stored


def forget_old(seconds: float, *, but: set[str]) -> None:
    """Delete stored uploads that are older, but for those named."""
    if not default_storage.exists(FOLDER):
        return
    for name in default_storage.listdir(FOLDER)[1]:
        stored = f"{FOLDER}/{name}"
        old = timezone.now() - default_storage.get_modified_time(stored) > timedelta(seconds=seconds)
        if old and stored not in but:
            default_storage.delete(stored)


def _is_zip(file: Any) -> bool:
    try:
        return zipfile.is_zipfile(file)
    except Exception:  # a damaged one
        return False


def forget(name: str) -> None:
    if name:
        default_storage.delete(name)


def is_upload(argument: str) -> bool:
    """Whether a job's argument of this name is a stored upload."""
    return argument == "upload" or argument.endswith("_upload")


def stored_in(arguments: Mapping[str, Any]) -> list[str]:
    """The stored uploads that a job's arguments name."""
    return [str(value) for name, value in arguments.items() if is_upload(name) and value]


@contextlib.contextmanager
def under_its_name(name: str, *, called: str) -> Iterator[Path]:
    """A stored upload for the time of the block, as a file under the name that it was sent with.

    Raises:
        InvalidInput: the upload has gone. An error that the block raises is passed on without the temporary folder.
    """
    with scratch_folder("upload-") as folder:
        copy = folder / (PurePosixPath(called.replace("\\", "/")).name or "file")
        try:
            with default_storage.open(name) as file, copy.open("wb") as target:
                shutil.copyfileobj(file, target)
        except FileNotFoundError:
            raise InvalidInput(f"{called}: the upload is no longer there; upload it again.") from None
        try:
            yield copy
        except InvalidInput as error:
            raise InvalidInput(error.message.replace(f"{folder}{os.sep}", ""), field=error.field) from error


@contextlib.contextmanager
def unpacked(name: str, *, marker: str, called: str) -> Iterator[Path]:
    """Unpack a stored zip file for the time of the block; yields the folder that holds ``marker``.

    Raises:
        InvalidInput: the upload has gone, is damaged, encrypted, too large in any of the ways above, names files
            outside itself, or does not hold ``marker`` at its top or in its only folder. An error that the block
            raises is passed on with the name ``called`` in place of the temporary folder.
    """
    with scratch_folder("upload-") as folder:
        try:
            with default_storage.open(name) as file, zipfile.ZipFile(_Bounded(file, called)) as archive:
                _unpack(archive, folder, called)
        except FileNotFoundError:
            raise InvalidInput(f"{called}: the upload is no longer there; upload it again.") from None
        except InvalidInput:
            raise
        except Exception as error:  # a damaged archive makes zipfile and its decompressors raise nearly anything
            raise InvalidInput(f"{called} could not be unpacked: {_why(error)}. Zip the folder again.") from error
        top = _holding(folder, marker, called)
        try:
            yield top
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(f"{top}{os.sep}", f"{called}: ").replace(str(top), called)) from error


class _Bounded(io.RawIOBase):
    """An open file for zipfile; refuses to be read in pieces larger than a table of contents may be."""

    def __init__(self, file: Any, called: str):
        self._file, self._called = file, called
        self.tell, self.seek = file.tell, file.seek  # type: ignore[method-assign]

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise InvalidInput(
                f"{self._called} has a table of contents of {_mb(size)}; up to {_mb(MAX_DIRECTORY_BYTES)} are taken."
            )
        return self._file.read(-1 if size is None else size)


def _why(error: Exception) -> str:
    """In words, without the temporary folder."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, (zipfile.BadZipFile, RuntimeError, NotImplementedError)) and str(error):
        return str(error)
    return "it is damaged"


def _unpack(archive: zipfile.ZipFile, folder: Path, called: str) -> None:
    entries = [(entry, path) for entry in archive.infolist() if (path := _path_of(entry, called)) is not None]
    if len(entries) > MAX_FILES:
        raise InvalidInput(f"{called} holds {len(entries)} files; up to {MAX_FILES} are taken.")
    _check_sizes(entries, folder, called)
    folders = {parent for _, path in entries for parent in path.parents}
    written: set[PurePosixPath] = set()
    for entry, path in entries:
        if path in written or path in folders:
            raise InvalidInput(f"{called} holds {path} twice; zip the folder again.")
        written.add(path)
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # zipfile reads no more than the size that the archive states, which is what was checked above.
            with archive.open(entry) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        except Exception as error:  # as for the whole archive, with the file's name
            raise InvalidInput(
                f"{called} could not be unpacked: {_short(path)}: {_why(error)}. Zip the folder again."
            ) from error


def _check_sizes(entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path, called: str) -> None:
    """By what the archive states, before anything is unpacked; unpacking reads no more than that."""
    for entry, path in entries:
        if entry.file_size > MAX_FILE_BYTES:
            raise InvalidInput(
                f"{called}: {_short(path)} unpacks to {_mb(entry.file_size)}; a file may have up to "
                f"{_mb(MAX_FILE_BYTES)}."
            )
    size, packed = (sum(getattr(entry, name) for entry, _ in entries) for name in ("file_size", "compress_size"))
    if size > settings.UPLOAD_MAX_UNPACKED_BYTES:
        limit = _mb(settings.UPLOAD_MAX_UNPACKED_BYTES)
        raise InvalidInput(f"{called} unpacks to {_mb(size)}; up to {limit} are taken.")
    if size > SMALL_ARCHIVE and size > MAX_RATIO * max(packed, 1):
        raise InvalidInput(
            f"{called} unpacks to {_mb(size)}, {size / max(packed, 1):.0f} times what it holds; up to {MAX_RATIO} "
            "times are taken. Images do not shrink so much: look at what is in it."
        )
    free = shutil.disk_usage(folder).free
    if size > free / 2:  # the answers are written to the same disk
        raise InvalidInput(f"{called} unpacks to {_mb(size)}, and the server's disk has only {_mb(free)} left.")


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def _path_of(entry: zipfile.ZipInfo, called: str) -> PurePosixPath | None:
    """Where a file goes; None for a folder, and for what an operating system or a file manager left there.

    Windows programs write backslashes. Names come out composed (NFC), whichever form macOS gave them.
    """
    name = unicodedata.normalize("NFC", _name_of(entry)).replace("\\", "/")
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    if path.is_absolute() or ".." in parts or (parts and re.match(r"[A-Za-z]:", parts[0])):
        raise InvalidInput(f"{called} names a file outside itself: {_short(path)}.")
    if not parts and not name.endswith("/"):
        raise InvalidInput(f"{called} could not be unpacked: it holds a file without a name. Zip the folder again.")
    if name.endswith("/") or any(_ignored(part) for part in parts):
        return None
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InvalidInput(f"{called} holds a link ({_short(path)}); only files are taken.")
    return PurePosixPath(*parts)


def _name_of(entry: zipfile.ZipInfo) -> str:
    """The entry's name: by its flag, else as Info-ZIP's extra field says it, else UTF-8 where it can be (macOS leaves
    out the flag), else in the old code page that zipfile takes."""
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        raw = entry.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return entry.filename
    extra = entry.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x7075 and extra[4:5] == b"\x01" and extra[5:9] == struct.pack("<I", zlib.crc32(raw)):
            raw = extra[9 : 4 + length]
            break
        extra = extra[4 + length :]
    try:
        return raw.decode("utf-8").partition("\0")[0]
    except UnicodeDecodeError:
        return entry.filename


def _ignored(part: str) -> bool:
    """Left by macOS, Windows, Linux file managers, or git: never one of the images."""
    return part.startswith(".") or part.rstrip("\r") in _IGNORED


def _short(path: PurePosixPath) -> str:
    name = str(path)
    return name if len(name) <= 100 else f"{name[:60]}… ({len(name)} letters)"


def _holding(folder: Path, marker: str, called: str) -> Path:
    """The folder that holds ``marker``: the top one, or the only one of those in it that does."""
    inside = sorted(folder.iterdir())
    if (folder / marker).is_file():
        return folder
    holding = [path for path in inside if path.is_dir() and (path / marker).is_file()]
    if len(holding) == 1:
        return holding[0]
    if holding:
        names = ", ".join(path.name for path in holding[:5])
        raise InvalidInput(f"{called} has several folders with a {marker} ({names}); zip one of them alone.")
    content = ", ".join(path.name for path in inside[:5]) or "nothing"
    raise InvalidInput(f"{called} has no {marker} at its top or in its one folder; it holds {content}.")


def allowed_path(path: str, *, field: str = "path") -> Path:
    """A folder on the server that pages may read: inside one of ``IMPORT_ROOTS``, links followed.

    Raises:
        InvalidInput: outside them (without saying whether it exists), or missing.
    """
    roots = [Path(root).resolve() for root in settings.IMPORT_ROOTS]
    try:
        folder = (roots[0] / path).resolve() if roots else Path(path).resolve()
        there = folder.is_dir()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        raise InvalidInput("this is not the path of a folder.", field=field) from None
    if not any(folder.is_relative_to(root) for root in roots):
        raise InvalidInput(
            f"pages read only folders inside {', '.join(map(str, roots)) or 'no folder at all'}. "
            "Put it there, or name another folder in IMPORT_ROOTS, or use the command line.",
            field=field,
        )
    if not there:
        raise InvalidInput(f"there is no folder {folder}.", field=field)
    return folder
