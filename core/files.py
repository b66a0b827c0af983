"""Removing rows together with the files that they name."""

import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import models, transaction


def delete_with_files(
    row: models.Model, files: Iterable[str], *, folder: str = "", figures: Path | None = None
) -> None:
    """Delete the row and what depends on it, and once that is certain the files: those named, all of the stored
    ``folder``, which is the row's own, and the local folder of its ``figures``.

    Raises ProtectedError, and changes nothing, while another row needs this one. A file that cannot be removed is
    logged; ``check_files --remove-orphans`` finds it later.
    """
    names = [name for name in files if name]
    with transaction.atomic():
        row.delete()
        transaction.on_commit(partial(remove_files, names, folder), robust=True)
        if figures is not None:
            transaction.on_commit(partial(shutil.rmtree, figures, ignore_errors=True), robust=True)


def remove_files(names: Iterable[str], folder: str = "") -> None:
    """Remove stored files, and ``folder`` with whatever else lies in it: work that was cut off leaves files there."""
    for name in names:
        default_storage.delete(name)
    if folder:
        _remove_folder(folder)


def _remove_folder(folder: str) -> None:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for inner in folders:
        _remove_folder(f"{folder}/{inner}")
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    if default_storage.exists(folder):  # a bucket has no folders, only names with slashes
        default_storage.delete(folder)


def folder_of_files(names: list[str]) -> str:
    """The one folder in which all these stored files lie; empty for none, and never a folder at the top."""
    folders = {name.rpartition("/")[0] for name in names}
    return folders.pop() if len(folders) == 1 and "/" in next(iter(folders)) else ""
