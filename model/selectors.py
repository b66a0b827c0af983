"""Reading patches back: tables and arrays, in the order asked for."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Count, Prefetch, QuerySet
from numpy.typing import NDArray

from core import images
from core.errors import InvalidInput, Progress, no_progress
from core.records import row_named
from model.learning.spread import spread_of_folds
from model.models import Classifier, CrossValidation, Dataset, FoldResult


def dataset_named(name: str) -> Dataset:
    """The data set of that name, or InvalidInput naming those that exist."""
    return row_named(Dataset.objects.all(), name, word="data set", none="none yet; import one first")


def classifier_named(name: str) -> Classifier:
    """The classifier of that name, or InvalidInput naming those that exist."""
    rows = Classifier.objects.select_related("dataset")
    return row_named(rows, name, word="classifier", none="none yet; train one first")


def name_of_classifier(
    dataset: Dataset, arch: str, preset: str, seed: int, *, defend: str | None = None, base: Classifier | None = None
) -> str:
    """The name of a trained classifier that was given none."""
    start = f"{base.name[:50]}-on" if base else f"{dataset.name}-{arch}"
    return f"{start[:80]}-{preset}{f'-{defend}' if defend else ''}-{seed}"[:100]


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

    Raises InvalidInput if an id is not of this data set, or if a file is missing or is not the one that was imported.
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

    Raises InvalidInput if a patch has no mask: its source did not outline nuclei.
    """
    files = _files(dataset, ids, "tumour_mask", "tumour_mask_sha256", "name")
    masks = np.empty((len(files), dataset.size, dataset.size), dtype=bool)
    for place, (path, sha256, name) in enumerate(files):
        if not path:
            raise InvalidInput(f"{name} of {dataset} has no mask of tumour nuclei; only PanNuke's layout brings them.")
        masks[place] = images.read_mask(path, sha256=sha256)
    return masks


def _files(dataset: Dataset, ids: Sequence[int] | None, *columns: str) -> list[tuple[str, ...]]:
    """The asked columns of each patch, in the order of ``ids``."""
    by_id = {row[0]: row[1:] for row in dataset.patches.order_by("index").values_list("id", *columns)}
    if ids is None:
        return list(by_id.values())
    strangers = [patch_id for patch_id in ids if patch_id not in by_id]
    if strangers:
        raise InvalidInput(f"Patch {strangers[0]} (and {len(strangers) - 1} more) is not of data set {dataset}.")
    return [by_id[patch_id] for patch_id in ids]


def _in_threads(read, count: int, progress: Progress) -> None:
    """Call ``read(0) ... read(count - 1)``; decoding lets go of the interpreter lock. No database work in ``read``."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for done, _ in enumerate(pool.map(read, range(count)), start=1):
            progress(done, count)


BINS = ((0, 0), (1, 4), (5, 9), (10, 19), (20, 49), (50, None))
"""Tumour cells per patch, as shown; 0 and 5 are the paper's limits."""


def datasets() -> QuerySet[Dataset]:
    return Dataset.objects.annotate(classifier_count=Count("classifiers"))


def groups(dataset: Dataset) -> list[dict[str, Any]]:
    """Patches per slide or patient, the largest first; empty where no groups are known."""
    rows: Counter[str] = Counter()
    positives: Counter[str] = Counter()
    for group, tumour in dataset.patches.exclude(group="").values_list("group", "tumour"):
        rows[group] += 1
        positives[group] += tumour
    return [
        {"group": group, "positives": positives[group], "negatives": count - positives[group], "patches": count}
        for group, count in rows.most_common()
    ]


def cell_counts(dataset: Dataset) -> list[dict[str, Any]]:
    """Patches by tumour cells; empty where no nuclei were outlined."""
    counts = [cells for cells in dataset.patches.values_list("tumour_cells", flat=True) if cells is not None]
    if not counts:
        return []
    rows = []
    for low, high in BINS:
        number = sum(low <= count and (high is None or count <= high) for count in counts)
        text = str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}"
        rows.append({"cells": text, "patches": number, "share": number / len(counts)})
    return rows


NO_GROUPS = (
    "No slide or patient is known for these patches: patches of one slide may stand on both sides of the split, "
    "so the figures are likely to be too good."
)


def cross_validations() -> QuerySet[CrossValidation]:
    """With their folds, but without the folds' predictions, which are long."""
    folds = FoldResult.objects.defer("predictions", "details")
    return CrossValidation.objects.select_related("dataset").prefetch_related(Prefetch("results", folds))


def latest_cross_validation(dataset: Dataset) -> CrossValidation | None:
    """The data set's cross-validation that was finished last."""
    return cross_validations().filter(dataset=dataset, completed_at__isnull=False).order_by("-completed_at").first()


def accuracy_and_auc(validation: CrossValidation) -> dict[str, dict[str, float | None]]:
    """Table 1a: ``accuracy`` and ``auc``, each with ``mean`` and ``sd`` over the finished folds of all runs and
    ``sd_of_runs``, the SD of the runs' means. Empty where no fold is finished.
    """
    folds = list(validation.results.all())
    if not folds:
        return {}
    return {name: spread_of_folds((fold.run, getattr(fold, name)) for fold in folds) for name in ("accuracy", "auc")}


def table_1a_rows(dataset: Dataset | None = None) -> list[dict[str, Any]]:
    """One row per cross-validation: how many folds are done, and ``accuracy_and_auc`` over them."""
    validations = cross_validations()
    if dataset is not None:
        validations = validations.filter(dataset=dataset)
    return [
        {
            "cross_validation": validation,
            "preset": (validation.settings.get("settings") or {}).get("preset", ""),
            "folds_done": len(validation.results.all()),
            "folds": validation.runs * validation.folds,
            **accuracy_and_auc(validation),
        }
        for validation in validations
    ]


def classifiers() -> QuerySet[Classifier]:
    """Without their splits and probabilities, which are long."""
    return (
        Classifier.objects.select_related("dataset")
        .defer("split", "test_probabilities", "history")
        .annotate(attack_count=Count("attacks"))
    )


def trajectory_files() -> set[str]:
    """The files of the weights' paths, which classifiers name in their settings."""
    settings = Classifier.objects.values_list("settings", flat=True)
    return {(chosen.get("trajectory") or {}).get("file", "") for chosen in settings}
