"""Writing cross-validations: one row per fold, as soon as it is finished."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.utils import timezone

from core.errors import InvalidInput, Progress, no_progress
from core.version import code_version
from model.classifier_rows import Say, check_seed, machine, told
from model.learning import splits
from model.learning.checkpoints import read_state
from model.learning.crossval import FoldOutcome, Plan, derived_seed, run_fold
from model.learning.devices import usable_device
from model.learning.network import Init, build_network
from model.learning.training import preset as preset_settings
from model.models import CrossValidation, Dataset, FoldResult
from model.selectors import NO_GROUPS, dataset_arrays, patch_table


def cross_validate(
    *,
    dataset: Dataset,
    runs: int = 5,
    folds: int = 3,
    preset: str = "paper",
    arch: str = "resnet18",
    init: Init = "auto",
    weights: str | Path | None = None,
    seed: int = 0,
    part: tuple[int, int] | None = None,
    device: str | None = None,
    say: Say = lambda message: None,
    progress: Progress = no_progress,
    **changes: Any,
) -> CrossValidation:
    """Table 1a: runs of stratified (and, where groups exist, grouped) folds, each stored once, as soon as it is done.

    Called again with the same arguments it goes on with the folds that are missing and gives the same numbers; a
    finished one is returned as it is. ``part`` = (i, n) does every n-th fold only, from the i-th (0 <= i < n), so that
    several workers or GPUs share the work; the one that stores the last fold completes it. ``progress`` counts training
    steps over all folds still to do.
    """
    check_seed(seed)
    device = device and usable_device(device)
    if part is not None and not 0 <= part[0] < part[1]:
        raise InvalidInput(f"{part[0]} of {part[1]} does not exist; parts count from 0 to n - 1.", field="part")
    plan = Plan(
        settings=preset_settings(preset, **changes),
        runs=runs,
        folds=folds,
        seed=seed,
        arch=arch,
        init=init,
        weights=str(weights) if weights else None,
    )
    plan = replace(plan, init=_settled(plan, dataset.size, say))
    table = patch_table(dataset)
    labels, groups = table["tumour"].to_numpy().astype(int), table["group"].to_numpy()
    splits.folds(labels, groups, count=folds, seed=derived_seed(seed, 0))  # refused before anything is written
    if not splits.grouped(groups):
        say(NO_GROUPS)
    validation = _begin(dataset, plan, grouped=splits.grouped(groups))
    share, shares = part or (0, 1)
    done = set(validation.results.values_list("run", "fold"))
    todo = [pair for number, pair in enumerate(plan.pairs()) if number % shares == share and pair not in done]
    ids = table.index.to_numpy()
    images = dataset_arrays(dataset) if todo else np.empty((0, 0, 0, 3), dtype=np.uint8)
    threads = torch.get_num_threads()
    torch.set_num_threads(validation.settings["machine"]["threads"])  # sums of floats depend on it
    try:
        for number, (run, fold) in enumerate(todo):

            def tell(step: int, steps: int, before: int = number) -> None:
                progress(before * steps + step, len(todo) * steps)

            outcome = run_fold(images, labels, groups, plan, run=run, fold=fold, device=device, progress=tell)
            _store_fold(validation, outcome, ids)
    finally:
        torch.set_num_threads(threads)
    if validation.completed_at is None and validation.results.count() == runs * folds:
        validation.completed_at = timezone.now()
        validation.save(update_fields=["completed_at"])
    return validation


def _begin(dataset: Dataset, plan: Plan, *, grouped: bool) -> CrossValidation:
    """The row of this plan on these patches: the one that was begun, or a new one."""
    determining = asdict(plan) | {
        "settings": plan.settings.as_dict(),
        "weights": read_state(plan.weights)[1] if plan.weights else None,
        "dataset": dataset.sha256,
    }
    digest = hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).hexdigest()
    row, _ = CrossValidation.objects.get_or_create(
        dataset=dataset,
        settings_sha256=digest,
        defaults={
            "settings": determining | {"machine": machine()},
            "runs": plan.runs,
            "folds": plan.folds,
            "seed": plan.seed,
            "grouped": grouped,
            "code_version": code_version(),
        },
    )
    return row


def _store_fold(validation: CrossValidation, outcome: FoldOutcome, ids: Any) -> None:
    """Write a fold's row, unless another worker has: it is the same fold."""
    pairs = zip(ids[outcome.rows].tolist(), outcome.probabilities, strict=True)
    FoldResult.objects.get_or_create(
        cross_validation=validation,
        run=outcome.run,
        fold=outcome.fold,
        defaults={
            "accuracy": outcome.accuracy,
            "auc": outcome.auc,
            "confusion": outcome.confusion,
            "predictions": [[patch, float(value)] for patch, value in pairs],
            "seconds": round(outcome.seconds, 2),
            "details": {
                "colour_only": {"accuracy": outcome.baseline_accuracy, "auc": outcome.baseline_auc},
                "initialisation": outcome.initialisation,
                "images_per_second": round(outcome.images_per_second, 1),
                "torch": torch.__version__,
                "history": outcome.history,
            },
            "code_version": code_version(),
        },
    )


def _settled(plan: Plan, size: int, say: Say) -> Init:
    """What "auto" comes to on this machine, so that every fold, and a restart elsewhere, begins alike."""
    network_and_start, notes = told(
        lambda: build_network(plan.arch, init=plan.init, weights=plan.weights, seed=plan.seed, image_size=size)
    )
    for note in notes:
        say(note)
    return "imagenet" if network_and_start[1].kind == "imagenet" else "random"
