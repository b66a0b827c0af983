"""Reading patches back: tables and arrays, in the order asked for."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core import images
from core.errors import BadInput, Progress, no_progress
from model.models import Dataset


def dataset_named(name: str) -> Dataset:
    """The data set of that name, or BadInput naming those that exist."""
    try:
        return Dataset.objects.get(name=name)
    except Dataset.DoesNotExist:
        names = ", ".join(Dataset.objects.values_list("name", flat=True)) or "none yet; import one first"
        raise BadInput(f"No data set called {name!r}. There are: {names}.") from None


def patch_table(dataset: Dataset) -> pd.DataFrame:
    """One row per patch in the order of reading, indexed by patch id: name, tumour (bool), group, tumour_cells."""
    columns = ["id", "name", "tumour", "group", "tumour_cells"]
    rows = dataset.patches.order_by("index").values_list(*columns)
    return pd.DataFrame.from_records(rows, columns=columns, index="id").astype(
        {"tumour": bool, "tumour_cells": "Int64"}
    )


def dataset_arrays(
    dataset: Dataset, ids: Sequence[int] | None = None, *, progress: Progress = no_progress
) -> NDArray[np.uint8]:
    """The pictures of the patches with these ids, in that order: uint8 (n, h, w, 3); all in reading order by default.

    Raises BadInput if an id is not of this data set, or if a file is missing or is not the one that was imported.
    """
    files = _files(dataset, ids, "image", "sha256")
    pixels = np.empty((len(files), dataset.size, dataset.size, 3), dtype=np.uint8)

    def read(place: int) -> None:
        path, sha256 = files[place]
        pixels[place] = images.read_pixels(path, sha256=sha256)

    _in_threads(read, len(files), progress)
    return pixels


def tumour_masks(dataset: Dataset, ids: Sequence[int] | None = None) -> NDArray[np.bool_]:
    """Pixels of neoplastic nuclei, bool (n, h, w), in the order of ``ids``.

    Raises BadInput if a patch has no mask: its source did not outline nuclei.
    """
    files = _files(dataset, ids, "tumour_mask", "tumour_mask_sha256", "name")
    masks = np.empty((len(files), dataset.size, dataset.size), dtype=bool)
    for place, (path, sha256, name) in enumerate(files):
        if not path:
            raise BadInput(f"{name} of {dataset} has no mask of tumour nuclei; only PanNuke's layout brings them.")
        masks[place] = images.read_mask(path, sha256=sha256)
    return masks


def _files(dataset: Dataset, ids: Sequence[int] | None, *columns: str) -> list[tuple[str, ...]]:
    """The asked columns of each patch, in the order of ``ids``."""
    by_id = {row[0]: row[1:] for row in dataset.patches.order_by("index").values_list("id", *columns)}
    if ids is None:
        return list(by_id.values())
    strangers = [patch_id for patch_id in ids if patch_id not in by_id]
    if strangers:
        raise BadInput(f"Patch {strangers[0]} (and {len(strangers) - 1} more) is not of data set {dataset}.")
    return [by_id[patch_id] for patch_id in ids]


def _in_threads(read, count: int, progress: Progress) -> None:
    """Call ``read(0) ... read(count - 1)``; decoding lets go of the interpreter lock. No database work in ``read``."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, _ in enumerate(pool.map(read, range(count)), start=1):
            progress(done, count)
