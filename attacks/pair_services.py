"""Importing pairs that another program made: whole or not at all."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from attacks.engine.pairs import PairFolder, ReadPair
from attacks.engine.perceptual import measures_of
from attacks.models import Pair, PairSet
from core.errors import InvalidInput, Progress, no_progress
from core.images import encode_png, sha256_of
from core.version import code_version
from model.models import Classifier


def import_pairs(
    *,
    name: str,
    folder: str | Path,
    skip_bad: bool = False,
    classifier: Classifier | None = None,
    source: dict[str, Any] | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> PairSet:
    """The pairs of a folder with ``pairs.csv``; see ``attacks.engine.pairs.PairFolder`` for what is refused, and
    what ``skip_bad`` leaves out.

    With a classifier, its verdicts on the decoded bytes of both images are recorded.

    Raises:
        InvalidInput: naming file and line; nothing is kept then.
    """
    if not name.strip() or len(name) > 100:
        raise InvalidInput("the pairs need a name of 1 to 100 characters.", field="name")
    if PairSet.objects.filter(name=name).exists():
        raise InvalidInput(f"there are pairs '{name}' already; choose another name.", field="name")
    pairs = PairFolder(folder, skip_bad=skip_bad)
    left_out = {"left_out": len(pairs.left_out), "why_left_out": pairs.left_out} if pairs.left_out else {}
    network = _network(classifier)
    place = f"pairs/{uuid4().hex}"
    written: list[str] = []
    digest = hashlib.sha256()
    rows: list[Pair] = []
    originals: dict[str, tuple[str, str, float | None]] = {}
    shape: tuple[int, ...] = ()
    try:
        for pair in pairs:
            shape = pair.original.shape
            digest.update(_fingerprint(pair))
            if pair.row.original not in originals:
                file, sha256 = _store(f"{place}/{len(rows):06d}a.png", pair.original, written)
                originals[pair.row.original] = (file, sha256, _answer(network, pair.original))
            rows.append(_row(pair, len(rows), originals[pair.row.original], place, written, network))
            progress(len(rows), len(pairs) + 1)
        with transaction.atomic():
            pair_set = PairSet.objects.create(
                name=name,
                classifier=classifier,
                source={"folder": str(folder)} | (source or {}) | left_out,
                sha256=digest.hexdigest(),
                width=shape[1],
                height=shape[0],
                variants=pairs.variants,
                code_version=code_version(),
                created_by=created_by,
            )
            for row in rows:
                row.pair_set = pair_set
            Pair.objects.bulk_create(rows, batch_size=500)
    except BaseException:  # an interrupt must not leave files behind either
        for file in written:
            default_storage.delete(file)
        raise
    progress(len(pairs) + 1, len(pairs) + 1)
    return pair_set


def _row(
    pair: ReadPair,
    index: int,
    original: tuple[str, str, float | None],
    place: str,
    written: list[str],
    network: Any,
) -> Pair:
    file, sha256 = _store(f"{place}/{index:06d}b.png", pair.perturbed, written)
    return Pair(
        index=index,
        name=pair.row.original,
        variant=pair.row.variant,
        label=pair.row.label,
        group=pair.row.group,
        attack=pair.row.attack,
        budget=pair.row.budget,
        original=original[0],
        original_sha256=original[1],
        prob_before=original[2],
        image=file,
        sha256=sha256,
        prob_after=_answer(network, pair.perturbed),
        **pair.norms,
        **measures_of(pair.original, pair.perturbed),
    )


def _store(name: str, pixels: np.ndarray, written: list[str]) -> tuple[str, str]:
    png = encode_png(pixels)
    written.append(default_storage.save(name, ContentFile(png)))
    return written[-1], sha256_of(png)


def _network(classifier: Classifier | None) -> Any:
    from model.stored_network import stored_network

    return stored_network(classifier) if classifier else None


def _answer(network: Any, pixels: np.ndarray) -> float | None:
    from model.learning.prediction import predict

    return None if network is None else float(predict(network, np.array(pixels[None]))[0])


def _fingerprint(pair: ReadPair) -> bytes:
    """Row and pixels; the line in the table is no part of what a pair is."""
    row = json.dumps(asdict(pair.row) | {"line": 0}, sort_keys=True).encode()
    return hashlib.sha256(row + pair.original.tobytes() + pair.perturbed.tobytes()).digest()
