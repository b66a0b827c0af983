"""Folders for the time of a piece of work, under BLINDSPOT_HOME: /tmp may be small, or memory."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

FRESH_S = 60
"""A folder younger than this may not have been locked yet by the process that made it."""


@contextlib.contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new folder, removed afterwards. Folders of this prefix whose process was killed are removed first."""
    top = Path(settings.FILE_UPLOAD_TEMP_DIR)
    top.mkdir(parents=True, exist_ok=True)
    _remove_left(top, prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=top, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        yield Path(name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Holds the folder's lock, which ends with the process, if nobody else does; says whether."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _remove_left(top: Path, prefix: str) -> None:
    for folder in top.glob(f"{prefix}*"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if time.time() - folder.stat().st_mtime > FRESH_S:
                with _locked(folder) as mine:
                    if mine:
                        shutil.rmtree(folder, ignore_errors=True)
