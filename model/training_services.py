"""Writing classifiers: trained here or brought along, and cross-validations, one row per fold as it is finished."""

import hashlib
import json
import os
import platform
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torchvision
from django.conf import settings as project
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from core.errors import InvalidInput, Progress, no_progress
from core.version import code_version
from model.learning import baseline, evaluation, landscape, splits
from model.learning.checkpoints import read_state
from model.learning.crossval import FoldOutcome, Plan, derived_seed, run_fold
from model.learning.devices import usable_device
from model.learning.network import Init, Initialisation, Network, build_network, load_weights, weights_bytes
from model.learning.prediction import predict
from model.learning.resume import Checkpoint, forget_stale
from model.learning.training import TrainSettings, train
from model.learning.training import preset as preset_settings
from model.models import Classifier, CrossValidation, Dataset, FoldResult
from model.selectors import NO_GROUPS, dataset_arrays, name_of_classifier, patch_table

Say = Callable[[str], None]
Made = TypeVar("Made")
LARGEST_TRAJECTORY = 2_000_000_000
"""Bytes of weights that a training may hold back for the loss landscape."""


def train_classifier(
    *,
    dataset: Dataset,
    name: str = "",
    preset: str = "paper",
    arch: str = "resnet18",
    init: Init = "auto",
    weights: str | Path | None = None,
    seed: int = 0,
    test_share: float = 0.3,
    trajectory: bool = False,
    device: str | None = None,
    created_by: Any = None,
    say: Say = lambda message: None,
    progress: Progress = no_progress,
    **changes: Any,
) -> Classifier:
    """Split the data set (by group where groups exist), train on one side, evaluate on the other, and store it all.

    ``changes`` replace fields of the preset (epochs, batch_size, learning_rate, ...); None leaves them. ``trajectory``
    keeps the plane of the weights' path for the loss landscape, where memory allows it. Warnings (a random start where
    ImageNet was hoped for, patches without groups) go to ``say`` and are recorded in the classifier's settings.

    Raises InvalidInput, before anything is written, for settings that cannot be used and a name that is taken.
    """
    name = name or name_of_classifier(dataset, arch, preset, seed)
    check_classifier_name(name)
    check_seed(seed)
    device = device and usable_device(device)
    settings = preset_settings(preset, **changes)
    table = patch_table(dataset)
    labels, groups = table["tumour"].to_numpy().astype(int), table["group"].to_numpy()
    kept, held_out = splits.split(labels, groups, test_share=test_share, seed=seed)
    grouped = splits.grouped(groups)
    (network, start), notes = _told(
        lambda: build_network(
            arch,
            init=init,
            weights=weights,
            seed=derived_seed(seed, 1),
            image_size=dataset.size,
            shrink=settings.shrink,
        )
    )
    if not grouped:
        notes.append(NO_GROUPS)
    sides = {
        side: splits.groups_per_class(labels[rows], groups[rows])
        for side, rows in (("train", kept), ("test", held_out))
    }
    for side, counts in sides.items():
        notes += splits.few_groups(counts, f"{side.capitalize()} split")
    for note in notes:
        say(note)
    steps = settings.epochs + 1
    keep = trajectory and steps * landscape.flat_size(network.body) * 4 <= LARGEST_TRAJECTORY
    images = dataset_arrays(dataset)
    kept_state = _checkpoint(dataset, settings, start, arch, seed, test_share, keep, device)
    if kept_state.path.exists():
        say("This training was begun before: it goes on after the last epoch that was finished.")
    trained = train(
        network,
        images[kept],
        labels[kept],
        settings,
        seed=derived_seed(seed, 2),
        device=device,
        keep_weights=keep,
        checkpoint=kept_state,
        progress=progress,
    )
    probabilities = predict(trained.network, images[held_out])
    colour = evaluation.metrics(labels[held_out], baseline.colour_probabilities(images, labels, kept, held_out))
    ids = table.index.to_numpy()
    made = _store_classifier(
        trained.network,
        extra=_plane_file(trained.network, trained.weights) if keep else None,
        name=name,
        dataset=dataset,
        arch=arch,
        initialisation=str(start),
        seed=seed,
        settings=settings.as_dict()
        | {
            "test_share": test_share,
            "initialisation": start.as_dict(),
            "device": trained.device,
            "seconds": round(trained.seconds, 2),
            "images_per_second": round(trained.images_per_second, 1),
            "notes": notes,
            "groups": sides,
            "machine": machine(),
        },
        split={"train": ids[kept].tolist(), "test": ids[held_out].tolist(), "grouped": grouped},
        metrics=evaluation.metrics(labels[held_out], probabilities)
        | {"colour_only": {key: colour[key] for key in ("accuracy", "auc")}},
        test_probabilities=_by_id(ids[held_out], probabilities),
        history=trained.history,
        created_by=created_by,
    )
    kept_state.forget()
    return made


def _checkpoint(
    dataset: Dataset,
    settings: TrainSettings,
    start: Initialisation,
    arch: str,
    seed: int,
    test_share: float,
    trajectory: bool,
    device: str | None,
) -> Checkpoint:
    """Where the state of this very training is kept, from epoch to epoch."""
    determining = {
        "dataset": dataset.sha256,
        "settings": settings.as_dict(),
        "start": start.as_dict(),
        "arch": arch,
        "seed": seed,
        "test_share": test_share,
        "trajectory": trajectory,
        "device": device,
        "machine": machine(),
        "code": code_version(),
    }
    digest = hashlib.sha256(json.dumps(determining, sort_keys=True, default=str).encode()).hexdigest()
    folder = Path(project.HOME) / "training"
    forget_stale(folder)  # of trainings that were cut off and never begun again
    return Checkpoint(folder / f"{digest[:32]}.pt")


def import_classifier(
    *,
    dataset: Dataset,
    arch: str,
    weights: str | Path,
    name: str = "",
    shrink: int = 1,
    tumour_output: int = 1,
    device: str | None = None,
    created_by: Any = None,
    progress: Progress = no_progress,
) -> Classifier:
    """A lab's own weights, checked on a forward pass and evaluated on every patch of ``dataset``, which becomes its
    test split: it was trained elsewhere, and whether it has seen these patches is not known here. ``shrink`` as in
    ``TrainSettings``; ``tumour_output`` as in ``load_weights``. What looks wrong about its answers is noted.

    Raises InvalidInput, before anything is written, if the weights do not fit.
    """
    name = name or f"{Path(weights).stem}-{arch}"
    check_classifier_name(name)
    place = usable_device(device)
    network, notes = _told(
        lambda: load_weights(arch, weights, image_size=dataset.size, shrink=shrink, tumour_output=tumour_output)
    )
    table = patch_table(dataset)
    probabilities = predict(network, dataset_arrays(dataset), device=place, progress=progress)
    metrics = evaluation.metrics(table["tumour"].to_numpy(), probabilities)
    ids = table.index.to_numpy()
    return _store_classifier(
        network,
        extra=None,
        name=name,
        dataset=dataset,
        arch=arch,
        initialisation=f"imported from {Path(weights).name}"[:200],
        seed=0,
        settings={
            "imported": Path(weights).name,
            "file_sha256": read_state(weights)[1],
            "shrink": shrink,
            "tumour_output": tumour_output,
            "machine": machine(),
            "notes": notes + _doubts(metrics, tumour_output),
        },
        split={"train": [], "test": ids.tolist(), "grouped": splits.grouped(table["group"].to_numpy())},
        metrics=metrics,
        test_probabilities=_by_id(ids, probabilities),
        history=[],
        created_by=created_by,
    )


def _doubts(metrics: dict[str, Any], tumour_output: int) -> list[str]:
    """What an imported classifier's answers let one suspect."""
    auc, other = metrics["auc"], 1 - tumour_output
    if auc < 0.4:
        return [
            f"AUC {auc:.3f}: it calls tumour what is none, so its two outputs look swapped (folders in alphabetical "
            f"order make the first output tumour). Import it again with --tumour-output {other}."
        ]
    if auc < 0.6:
        return [
            f"AUC {auc:.3f}: it does not tell these patches apart. The weights may be for other classes, or expect "
            "another normalisation than ImageNet's."
        ]
    called = sum(row[1] for row in metrics["confusion"])
    if called in (0, metrics["n"]):
        return [f"It calls {'every' if called else 'no'} patch tumour at P = 0.5, although its AUC is {auc:.3f}."]
    return []


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


def check_classifier_name(name: str) -> None:
    """Raise InvalidInput unless ``name`` can be given to a new classifier."""
    if not name.strip() or len(name) > 100:
        raise InvalidInput("The classifier needs a name of 1 to 100 characters.")
    if Classifier.objects.filter(name=name).exists():
        raise InvalidInput(f"A classifier called {name!r} exists. Choose another name.")


def check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"{seed} is out of range; 0 to {2**32 - 1}.", field="seed")


def machine() -> dict[str, Any]:
    """What the last digits of a result may depend on, beside code and settings."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "processor": platform.machine(),
        "gpu": gpu,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
    }


# --- Rows and files -------------------------------------------------------------------------------------------------


def _store_classifier(network: Network, *, extra: bytes | None, name: str, settings: dict, **fields: Any) -> Classifier:
    """Write the weights (and the trajectory's plane) and the row that names them, or nothing."""
    stem = f"weights/{slugify(name) or 'classifier'}"
    files: list[str] = []
    data, sha256 = weights_bytes(network)
    try:
        files.append(default_storage.save(f"{stem}.pt", ContentFile(data)))
        if extra is not None:
            files.append(default_storage.save(f"{stem}-trajectory.pt", ContentFile(extra)))
            settings = settings | {
                "trajectory": {"file": files[1], "sha256": hashlib.sha256(extra).hexdigest()},
            }
        with transaction.atomic():
            return Classifier.objects.create(
                name=name,
                weights=files[0],
                weights_sha256=sha256,
                settings=settings,
                code_version=code_version(),
                **fields,
            )
    except BaseException as error:
        for file in files:
            default_storage.delete(file)
        if isinstance(error, IntegrityError):
            check_classifier_name(name)  # somebody else was quicker
        raise


def _plane_file(network: Network, weights: list[dict[str, torch.Tensor]]) -> bytes:
    return landscape.plane_bytes(landscape.plane_of(landscape.flatten_all(network.body, weights)))


def _by_id(ids: Any, probabilities: Any) -> dict[str, float]:
    return {str(patch): float(value) for patch, value in zip(ids.tolist(), probabilities, strict=True)}


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
            },
            "code_version": code_version(),
        },
    )


def _settled(plan: Plan, size: int, say: Say) -> Init:
    """What "auto" comes to on this machine, so that every fold, and a restart elsewhere, begins alike."""
    network_and_start, notes = _told(
        lambda: build_network(plan.arch, init=plan.init, weights=plan.weights, seed=plan.seed, image_size=size)
    )
    for note in notes:
        say(note)
    return "imagenet" if network_and_start[1].kind == "imagenet" else "random"


def _told(build: Callable[[], Made]) -> tuple[Made, list[str]]:
    """What ``build`` makes, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = build()
    return made, [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
