"""Cross-validation (Table 1a): runs of stratified folds, each fold a pure function of its arguments.

A fold knows nothing of the others, so folds can be computed in any order, by any worker, and again after a crash.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import InvalidInput, Progress, no_progress
from model.learning import baseline, evaluation, splits
from model.learning.network import Init, build_network
from model.learning.prediction import predict
from model.learning.training import TrainSettings, train

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Plan:
    """What determines the numbers of a cross-validation, beside the patches."""

    settings: TrainSettings
    runs: int = 5
    folds: int = 3
    seed: int = 0
    arch: str = "resnet18"
    init: Init = "auto"
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise InvalidInput(f"{self.runs} is too few; at least 1.", field="runs")

    def pairs(self) -> list[tuple[int, int]]:
        """Every (run, fold), run by run."""
        return [(run, fold) for run in range(self.runs) for fold in range(self.folds)]


@dataclass(frozen=True)
class FoldOutcome:
    """One held-out fold: its rows of the data set, P(tumour) for each, and what they amount to.

    ``baseline_auc`` and ``baseline_accuracy`` are those of a logistic regression on colour alone, trained on the same
    rows. ``initialisation`` is what the network really started from, ``history`` its training, epoch by epoch.
    """

    run: int
    fold: int
    rows: NDArray[np.integer[Any]]
    probabilities: Floats
    accuracy: float
    auc: float
    confusion: list[list[int]]
    baseline_accuracy: float
    baseline_auc: float
    seconds: float
    images_per_second: float
    initialisation: str
    history: list[dict[str, float]]


def derived_seed(seed: int, *path: int) -> int:
    """A seed for one part of the work, independent of every other's: 0 to 2**32 - 1."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])


def run_fold(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    groups: NDArray[Any] | None,
    plan: Plan,
    *,
    run: int,
    fold: int,
    device: str | torch.device | None = None,
    progress: Progress = no_progress,
) -> FoldOutcome:
    """Train on all folds but one of this run's division and answer for the held-out one.

    ``images`` uint8 (n, h, w, 3), ``labels`` (n,), ``groups`` (n,) or None. A run divides the patches anew; each fold
    starts from weights of its own.
    """
    started = time.perf_counter()
    division = splits.folds(labels, groups, count=plan.folds, seed=derived_seed(plan.seed, run))
    kept, held_out = division[fold]
    seed = derived_seed(plan.seed, run, fold)
    network, start = build_network(
        plan.arch,
        init=plan.init,
        weights=plan.weights,
        seed=seed,
        image_size=images.shape[1],
        shrink=plan.settings.shrink,
    )
    trained = train(network, images[kept], labels[kept], plan.settings, seed=seed, device=device, progress=progress)
    probabilities = predict(trained.network, images[held_out])
    found = evaluation.metrics(labels[held_out], probabilities)
    colour = evaluation.metrics(labels[held_out], baseline.colour_probabilities(images, labels, kept, held_out))
    return FoldOutcome(
        run=run,
        fold=fold,
        rows=held_out,
        probabilities=probabilities,
        accuracy=found["accuracy"],
        auc=found["auc"],
        confusion=found["confusion"],
        baseline_accuracy=colour["accuracy"],
        baseline_auc=colour["auc"],
        seconds=time.perf_counter() - started,
        images_per_second=trained.images_per_second,
        initialisation=str(start),
        history=trained.history,
    )
