"""What a defended or continued training needs beside a plain one: its start, its split, and patches to watch it by."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import InvalidInput
from model.classifier_rows import Say
from model.learning import splits
from model.learning.defence import Defence, defence, withstood
from model.learning.network import Initialisation, Network
from model.learning.training import TrainSettings, settle
from model.models import Classifier, Dataset

Rows = NDArray[np.integer[Any]]
WATCHED_SHARE, WATCHED = 0.15, 48
"""The share of the training patches (whole groups) that is kept apart in a defended training, and how many are seen."""


def chosen_defence(kind: str | None, budget: float | None, steps: int | None, weight: float | None) -> Defence | None:
    """The defence asked for; InvalidInput for settings of one where none is."""
    if kind:
        return defence(kind, budget=budget, steps=steps, weight=weight)
    for field, value in (("defend_budget", budget), ("defend_steps", steps), ("defend_weight", weight)):
        if value is not None:
            raise InvalidInput("It is for a defended training. Name one with --defend.", field=field)
    return None


def split_of(
    base: Classifier, dataset: Dataset, ids: NDArray[Any], labels: NDArray[Any], groups: NDArray[Any], **drawn: Any
) -> tuple[Rows, Rows]:
    """Rows for training and for the test of a training that goes on from ``base``: its own split, where it has one.

    A new split would test on patches that ``base`` was trained on.
    """
    own = base.split.get("train", []) + base.split.get("watched", [])
    if base.dataset_id != dataset.pk or not own:
        return splits.split(labels, groups, **drawn)
    rows = {int(patch): row for row, patch in enumerate(ids)}
    missing = [patch for patch in [*own, *base.split["test"]] if patch not in rows]
    if missing:
        raise InvalidInput(f"{len(missing)} patches of {base}'s split are not there any more. Train from scratch.")
    train, test = (np.sort([rows[patch] for patch in part]) for part in (own, base.split["test"]))
    return train, test


def start_of(base: Classifier, seed: int) -> Initialisation:
    """The record of a training that goes on from ``base``."""
    return Initialisation("weights", "weights", seed, "loaded", source=f"classifier {base}", sha256=base.weights_sha256)


def kept_apart(kept: Rows, labels: NDArray[Any], groups: NDArray[Any], *, seed: int) -> tuple[Rows, Rows]:
    """Rows to train on and rows to watch the training by; patches of a group stay together."""
    try:
        train, watched = splits.split(labels[kept], groups[kept], test_share=WATCHED_SHARE, seed=seed)
    except InvalidInput as error:
        raise InvalidInput(
            f"A defended training keeps a part of its patches apart to watch it by: {error.message}", field="defend"
        ) from error
    return kept[train], kept[watched]


def watching(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    kept: Rows,
    watched: Rows,
    settings: TrainSettings,
    *,
    seed: int,
    say: Say,
) -> Callable[[Network], dict[str, float]]:
    """After each epoch: clean and robust accuracy on up to ``WATCHED`` of the patches kept apart."""
    drawn = np.sort(np.random.default_rng([seed, 7]).permutation(watched)[:WATCHED])
    seen = torch.from_numpy(np.ascontiguousarray(images[drawn].transpose(0, 3, 1, 2)))
    truth = torch.from_numpy(labels[drawn].astype(np.int64))
    whole = torch.from_numpy(np.ascontiguousarray(images[kept[:: max(1, len(kept) // 512)]]))
    assert settings.defence is not None
    against = settings.defence

    def watch(network: Network) -> dict[str, float]:
        if settings.settle:  # as at the end, when BatchNorm is measured anew
            settle(network, whole, next(network.parameters()).device, at_most=128)
        right, held = withstood(network, seen, truth, against).float().mean(1).tolist()
        say(f"On {len(drawn)} patches kept apart: {100 * right:.0f} % right, {100 * held:.0f} % under attack.")
        return {"held_out_accuracy": right, "held_out_robust_accuracy": held}

    return watch
