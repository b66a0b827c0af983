"""Writing patches: from any source into the database and the file store, whole or not at all."""

import hashlib
from collections.abc import Iterable, Sequence, Sized
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from core import images
from core.errors import InvalidInput, Progress, no_progress
from core.files import remove_files
from core.version import code_version
from model.learning.folder import PatchFolder
from model.learning.pannuke import PanNuke
from model.learning.patches import Patch as ReadPatch
from model.models import Dataset, Patch

_CHUNK = 500  # rows per INSERT
LEFT_OUT = "why_left_out"
"""Where a data set's source says which lines of its table were left out, and why."""


def import_pannuke(
    *,
    name: str,
    folds: Sequence[str | Path],
    tissue: str = "Breast",
    size: int = 224,
    kind: str = Dataset.Kind.PANNUKE,
    source: dict[str, Any] | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Dataset:
    """The patches of one tissue from PanNuke's files; see ``model.learning.pannuke.PanNuke`` for errors and labels.

    ``source`` is recorded with the data set beside folds, tissue, size and counts.
    """
    check_name(name)
    reader = PanNuke(folds, tissue=tissue, size=size)
    settings = {"folds": [str(fold.images.resolve().parent) for fold in reader.folds], "tissue": tissue, "size": size}
    return import_dataset(
        name=name,
        kind=kind,
        patches=reader,
        source=settings | (source or {}),
        created_by=created_by,
        progress=progress,
    )


def import_folder(
    *,
    name: str,
    folder: str | Path,
    size: int = 224,
    skip_bad: bool = False,
    source: dict[str, Any] | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Dataset:
    """The images of a folder with ``labels.csv``; see ``model.learning.folder.PatchFolder`` for what is refused.

    ``source`` is recorded in place of the folder's path. With ``skip_bad`` what would be refused is left out, and the
    reasons are recorded.
    """
    check_name(name)
    reader = PatchFolder(folder, size=size, skip_bad=skip_bad)
    left_out = {LEFT_OUT: reader.left_out} if reader.left_out else {}
    return import_dataset(
        name=name,
        kind=Dataset.Kind.FOLDER,
        patches=reader,
        source=(source or {"folder": str(reader.folder.resolve())}) | {"size": size} | left_out,
        created_by=created_by,
        progress=progress,
    )


def import_dataset(
    *,
    name: str,
    kind: str,
    patches: Iterable[ReadPatch],
    source: dict[str, Any],
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Dataset:
    """Store ``patches`` as PNG files with their SHA-256, and their rows, under a new name.

    Patches are taken one at a time, so memory holds one image and the rows. Files are written before the one
    transaction that makes the rows, so that readers' answers do not wait for a lock; whatever fails, they are removed.
    A ``summary`` of ``patches`` (as the readers in ``model.learning`` have) is recorded in the data set's source.

    Raises InvalidInput for a name in use, a class without patches, patches of different sizes or of one name, and
    passes on what the reader raises.
    """
    check_name(name)
    total = len(patches) if isinstance(patches, Sized) else 0
    folder = f"patches/{uuid4().hex}"
    files: list[str] = []
    rows: list[Patch] = []
    names: set[str] = set()
    size = 0
    digest = hashlib.sha256()
    try:
        for patch in patches:
            height, width = patch.pixels.shape[:2]
            size = size or height
            if (height, width) != (size, size):
                raise InvalidInput(
                    f"{patch.name} is {width} x {height} pixels; the patches before it are {size} x {size}."
                )
            if patch.name in names:
                raise InvalidInput(f"Two patches are called {patch.name}; each needs a name of its own.")
            if len(patch.name) > 255 or len(patch.group) > 255:
                raise InvalidInput(f"{patch.name}: name and group may have up to 255 characters.")
            names.add(patch.name)
            rows.append(_store(patch, f"{folder}/{len(rows):06d}", files, index=len(rows)))
            digest.update(_fingerprint(patch))
            progress(len(rows), max(total, len(rows) + 1))
        positives = sum(row.tumour for row in rows)
        negatives = len(rows) - positives
        summary = patches.summary.as_dict() if hasattr(patches, "summary") else {}
        if not positives or not negatives:
            missing = "positive" if not positives else "negative"
            raise InvalidInput(
                f"No {missing} patch among the {len(rows)} that can be used ({_in_words(summary)}); "
                f"a classifier needs both classes."
            )
        with transaction.atomic():
            dataset = Dataset.objects.create(
                name=name,
                kind=kind,
                source=source | summary,
                sha256=digest.hexdigest(),
                size=size,
                positives=positives,
                negatives=negatives,
                excluded=summary.get("excluded", 0),
                code_version=code_version(),
                created_by=created_by,
            )
            for row in rows:
                row.dataset = dataset
            Patch.objects.bulk_create(rows, batch_size=_CHUNK)
    except BaseException as error:  # an interrupt must not leave files behind either
        remove_files(files, folder)
        if isinstance(error, IntegrityError) and Dataset.objects.filter(name=name).exists():
            raise _name_taken(name) from error  # somebody else was quicker
        raise
    progress(max(total, len(rows)), max(total, len(rows)))
    return dataset


def check_name(name: str) -> None:
    """Raise InvalidInput unless ``name`` can be given to a new data set."""
    if not name.strip() or len(name) > 100:
        raise InvalidInput("The data set needs a name of 1 to 100 characters.")
    if Dataset.objects.filter(name=name).exists():
        raise _name_taken(name)


def _name_taken(name: str) -> InvalidInput:
    return InvalidInput(f"A data set called {name!r} exists. Choose another name.")


def _store(patch: ReadPatch, stem: str, files: list[str], *, index: int) -> Patch:
    """Write the patch's picture and, if it has tumour pixels outlined, their mask; the unsaved row that names them."""
    picture = images.encode_png(patch.pixels, compress_level=images.SMALL_FILE)
    image = default_storage.save(f"{stem}.png", ContentFile(picture))
    files.append(image)
    mask = mask_sha256 = ""
    if patch.tumour_mask is not None:
        drawn = images.encode_png(patch.tumour_mask, compress_level=images.SMALL_FILE)
        mask = default_storage.save(f"{stem}_mask.png", ContentFile(drawn))
        mask_sha256 = images.sha256_of(drawn)
        files.append(mask)
    return Patch(
        index=index,
        name=patch.name,
        image=image,
        sha256=images.sha256_of(picture),
        tumour_mask=mask,
        tumour_mask_sha256=mask_sha256,
        tumour=patch.tumour,
        group=patch.group,
        tumour_cells=patch.tumour_cells,
    )


def _fingerprint(patch: ReadPatch) -> bytes:
    """What makes a data set the same: name, label, group and pixels. Fields are length-prefixed, so none can slide."""
    digest = hashlib.sha256()
    pixels = np.ascontiguousarray(patch.pixels).data
    for field in (patch.name.encode(), bytes([patch.tumour]), patch.group.encode(), pixels):
        digest.update(memoryview(field).nbytes.to_bytes(8, "big"))
        digest.update(field)
    return digest.digest()


def _in_words(summary: dict[str, int]) -> str:
    return ", ".join(f"{count} {key.replace('_', ' ')}" for key, count in summary.items()) or "no summary"
