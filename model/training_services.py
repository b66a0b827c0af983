"""Training a classifier on a data set and storing it, with its split and how well it does there."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from django.conf import settings as project

from core.errors import InvalidInput, Progress, no_progress
from core.version import code_version
from model.classifier_rows import Say, by_id, check_classifier_name, check_seed, machine, store_classifier, told
from model.defended_training import chosen_defence, kept_apart, split_of, start_of, watching
from model.learning import baseline, evaluation, landscape, splits
from model.learning.crossval import derived_seed
from model.learning.devices import usable_device
from model.learning.network import Init, Initialisation, Network, build_network
from model.learning.prediction import predict
from model.learning.resume import Checkpoint, forget_stale
from model.learning.training import TrainSettings, train
from model.learning.training import preset as preset_settings
from model.models import Classifier, Dataset
from model.selectors import NO_GROUPS, dataset_arrays, name_of_classifier, patch_table
from model.stored_network import stored_network

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
    base: Classifier | None = None,
    defend: str | None = None,
    defend_budget: float | None = None,
    defend_steps: int | None = None,
    defend_weight: float | None = None,
    device: str | None = None,
    created_by: Any = None,
    say: Say = lambda message: None,
    progress: Progress = no_progress,
    **changes: Any,
) -> Classifier:
    """Split the data set (by group where groups exist), train on one side, evaluate on the other, and store it all.

    ``changes`` replace fields of the preset (epochs, batch_size, learning_rate, ...); None leaves them. ``trajectory``
    keeps the plane of the weights' path for the loss landscape, where memory allows it. ``base``: go on from this
    classifier's weights, on its own split. ``defend``: see ``model.learning.defence``; how well it withstands is
    watched on training patches that are kept apart. Warnings (a random start where ImageNet was hoped for, patches
    without groups) go to ``say`` and are recorded in the classifier's settings.

    Raises InvalidInput, before anything is written, for settings that cannot be used and a name that is taken.
    """
    if base is not None and base.settings.get("form"):
        raise InvalidInput(f"{base} was imported as it is: only state dicts of torchvision are trained.", field="base")
    if base is not None and weights:
        raise InvalidInput("A training goes on from a classifier or from a file, not from both.", field="weights")
    against = chosen_defence(defend, defend_budget, defend_steps, defend_weight)
    name = name or name_of_classifier(dataset, base.arch if base else arch, preset, seed, defend=defend, base=base)
    check_classifier_name(name)
    check_seed(seed)
    device = device and usable_device(device)
    if against and against.kind == "free" and changes.get("epochs") is None:
        changes["epochs"] = -(-preset_settings(preset).epochs // against.steps)  # each uses a batch that often
    settings = preset_settings(preset, **changes, defence=against)
    table = patch_table(dataset)
    labels, groups = table["tumour"].to_numpy().astype(int), table["group"].to_numpy()
    if base is not None:
        settings = replace(settings, shrink=base.settings.get("shrink", 1))
        arch = base.arch
        kept, held_out = split_of(
            base, dataset, table.index.to_numpy(), labels, groups, test_share=test_share, seed=seed
        )
        network, start = stored_network(base), start_of(base, seed)
        notes: list[str] = []
    else:
        kept, held_out = splits.split(labels, groups, test_share=test_share, seed=seed)
        (network, start), notes = told(
            lambda: build_network(
                arch,
                init=init,
                weights=weights,
                seed=derived_seed(seed, 1),
                image_size=dataset.size,
                shrink=settings.shrink,
            )
        )
    grouped = splits.grouped(groups)
    if not grouped:
        notes.append(NO_GROUPS)
    images = dataset_arrays(dataset)
    watched = np.empty(0, dtype=int)
    if against:
        kept, watched = kept_apart(kept, labels, groups, seed=seed)
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
        watch=watching(images, labels, kept, watched, settings, seed=seed, say=say) if against else None,
        progress=progress,
    )
    probabilities = predict(trained.network, images[held_out])
    colour = evaluation.metrics(labels[held_out], baseline.colour_probabilities(images, labels, kept, held_out))
    ids = table.index.to_numpy()
    made = store_classifier(
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
        split={"train": ids[kept].tolist(), "test": ids[held_out].tolist(), "grouped": grouped}
        | ({"watched": ids[watched].tolist()} if against else {}),
        metrics=evaluation.metrics(labels[held_out], probabilities)
        | {"colour_only": {key: colour[key] for key in ("accuracy", "auc")}},
        test_probabilities=by_id(ids[held_out], probabilities),
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


def _plane_file(network: Network, weights: list[dict[str, torch.Tensor]]) -> bytes:
    return landscape.plane_bytes(landscape.plane_of(landscape.flatten_all(network.body, weights)))
