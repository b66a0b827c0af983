"""Whether the file store holds what the database names: after a restore, and from time to time."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import models
from django.utils import timezone

from core.errors import Progress, no_progress
from core.uploads import stored_in
from jobs.models import Job

YOUNG = timedelta(days=1)
"""A younger file without a row may belong to work that is under way; an older one does not."""


@dataclass
class FileCheck:
    """Names of files: missing ones, ones whose bytes have changed since they were stored, ones that no row names."""

    checked: int = 0
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


def named_files() -> Iterator[tuple[str, str]]:
    """Every file that a row names, with its SHA-256 ("" where none is recorded)."""
    for model in apps.get_models():
        for column in model._meta.get_fields():
            if isinstance(column, models.FileField):
                digest = _digest_of(model, column.name)
                columns = [column.name, digest] if digest else [column.name]
                for row in model._base_manager.exclude(**{column.name: ""}).values_list(*columns).iterator():
                    yield row[0], row[1] if digest else ""


def _digest_of(model: type[models.Model], column: str) -> str:
    names = {column.name for column in model._meta.get_fields()}
    for name in (f"{column}_sha256", "sha256" if column == "image" else ""):
        if name in names:
            return name
    return ""


_named_in_json: list[Callable[[], set[str]]] = []


def also_named(list_names: Callable[[], set[str]]) -> None:
    """A wing says at start which files its rows name inside their JSON, so that they are no orphans."""
    _named_in_json.append(list_names)


def _other_files() -> set[str]:
    """Files that rows name inside their JSON: uploads of jobs that may still run, and what the wings name."""
    waiting = Job.objects.exclude(state=Job.State.DONE).filter(created_at__gte=timezone.now() - 7 * YOUNG)
    names = {name for arguments in waiting.values_list("arguments", flat=True) for name in stored_in(arguments)}
    return names.union(*(list_names() for list_names in _named_in_json))


def check_files(*, progress: Progress = no_progress) -> FileCheck:
    """Read every named file, compare its SHA-256, and look for files that no row names."""
    check = FileCheck()
    named = dict(named_files())
    for name, sha256 in named.items():
        try:
            with default_storage.open(name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            check.missing.append(name)
        else:
            if sha256 and digest != sha256:
                check.changed.append(name)
        check.checked += 1
        progress(check.checked, len(named))
    named_anywhere = named.keys() | _other_files()
    old = timezone.now() - YOUNG
    check.orphans = [
        name for name in _all_files("") if name not in named_anywhere and default_storage.get_modified_time(name) < old
    ]
    return check


def _all_files(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in sorted(files):
        yield f"{folder}/{name}".lstrip("/")
    for name in sorted(folders):
        yield from _all_files(f"{folder}/{name}".lstrip("/"))


def remove(names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)


def as_dict(check: FileCheck, *, removed: int) -> dict[str, Any]:
    return {
        "checked": check.checked,
        "missing": check.missing,
        "changed": check.changed,
        "orphans": len(check.orphans),
        "removed": removed,
    }
