"""A classifier that was judged and never trained, and a cross-validation of it: all that their galleries need."""

import numpy as np

from model.models import Classifier, CrossValidation, FoldResult
from tests.model.datasets import small_dataset


def judged_classifier() -> Classifier:
    dataset = small_dataset(n=20)
    ids = list(dataset.patches.values_list("id", flat=True))
    draw = np.random.default_rng(0)
    return Classifier.objects.create(
        name="judged",
        dataset=dataset,
        initialisation="random",
        weights="none",
        weights_sha256="1" * 64,
        seed=0,
        split={"train": [], "test": ids, "grouped": True},
        test_probabilities={str(patch): float(draw.random()) for patch in ids},
        code_version="t",
    )


def cross_validation(classifier: Classifier) -> CrossValidation:
    """One run of two folds, of which none is done yet."""
    return CrossValidation.objects.create(
        dataset=classifier.dataset,
        settings={"settings": {"preset": "quick"}, "arch": "resnet18"},
        settings_sha256="2" * 64,
        runs=1,
        folds=2,
        seed=0,
        code_version="t",
    )


def finish_folds(validation: CrossValidation, classifier: Classifier) -> None:
    """Both folds, each with half of the classifier's answers."""
    pairs = [[int(patch), value] for patch, value in classifier.test_probabilities.items()]
    for fold in range(2):
        FoldResult.objects.create(
            cross_validation=validation, run=0, fold=fold, accuracy=0.5, auc=0.5, confusion=[[3, 2], [2, 3]],
            predictions=pairs[fold * 10 : fold * 10 + 10], seconds=1.0, code_version="t",
            details={"colour_only": {"accuracy": 0.6, "auc": 0.6}},
        )  # fmt: skip
