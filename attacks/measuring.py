"""CIEDE2000 and MS-SSIM of perturbations, imported pairs and whatever else is kept beside its original.

Not a part of the attack: 5 ms per patch of 64 pixels and 45 ms of 224 (one core) are little beside an attack on a CPU
and much beside one on a GPU. A job of its own measures what has no measures yet.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from attacks.engine.norms import PERCEPTUAL
from attacks.engine.perceptual import measures_of
from attacks.models import Attack, Pair, PairSet, Perturbation
from core.errors import InvalidInput, Progress, no_progress
from core.images import read_pixels

CHUNK = 32
"""Rows that are measured and stored together."""
SHOWN = 5
"""Unreadable images that an error names."""
Both = Callable[[Any], tuple[np.ndarray, np.ndarray]]
"""Pixels of a row's original and of its altered image, uint8 (h, w, 3)."""


def unmeasured(rows: QuerySet) -> QuerySet:
    """Those of the rows whose image was kept and not measured yet."""
    return rows.filter(ciede2000=None).exclude(image="")


def measure_attack(*, attack: Attack, part: tuple[int, int] | None = None, progress: Progress = no_progress) -> int:
    """Measure every kept image of an attack that has no measures; returns how many were measured.

    ``part`` = (i, n) does every n-th chunk only, from the i-th.

    Raises:
        InvalidInput: images cannot be read; the others are measured all the same.
    """
    rows = attack.perturbations.exclude(image="").select_related("patch").order_by("pk")
    return fill(rows, _of_perturbation, part=part, progress=progress)


def measure_pairs(*, pair_set: PairSet, part: tuple[int, int] | None = None, progress: Progress = no_progress) -> int:
    """As ``measure_attack``, of imported pairs."""
    return fill(pair_set.pairs.order_by("pk"), _of_pair, part=part, progress=progress)


def fill(rows: QuerySet, both: Both, *, part: tuple[int, int] | None = None, progress: Progress = no_progress) -> int:
    """Measure those of the rows that have no measures; chunks are cut by position, whatever is measured already.

    Raises:
        InvalidInput: images cannot be read; the others are measured all the same.
    """
    share, shares = part or (0, 1)
    keys = list(rows.values_list("pk", flat=True))
    measured = 0
    unreadable: list[str] = []
    for number, first in enumerate(range(0, len(keys), CHUNK)):
        if number % shares == share:
            chunk = list(unmeasured(rows.filter(pk__in=keys[first : first + CHUNK])))
            found, wrong = _measured(chunk, both)
            with transaction.atomic():
                rows.model._default_manager.bulk_update(found, PERCEPTUAL)
            measured += len(found)
            unreadable += wrong
        progress(min(first + CHUNK, len(keys)), len(keys))
    if unreadable:
        more = f" And {len(unreadable) - SHOWN} more." if len(unreadable) > SHOWN else ""
        raise InvalidInput(
            f"{measured} images were measured, {len(unreadable)} cannot be read: {' '.join(unreadable[:SHOWN])}{more}"
        )
    return measured


def _measured(rows: Sequence[Any], both: Both) -> tuple[list[Any], list[str]]:
    """The rows with their measures, not saved yet; and what is wrong with those whose images cannot be read."""
    found, wrong = [], []
    for row in rows:
        try:
            original, altered = both(row)
        except InvalidInput as error:
            wrong.append(error.message)
            continue
        for name, value in measures_of(original, altered).items():
            setattr(row, name, value)
        found.append(row)
    return found, wrong


def _of_perturbation(row: Perturbation) -> tuple[np.ndarray, np.ndarray]:
    return (
        read_pixels(row.patch.image.name, sha256=row.patch.sha256),
        read_pixels(row.image.name, sha256=row.sha256),
    )


def _of_pair(row: Pair) -> tuple[np.ndarray, np.ndarray]:
    return (
        read_pixels(row.original.name, sha256=row.original_sha256),
        read_pixels(row.image.name, sha256=row.sha256),
    )
