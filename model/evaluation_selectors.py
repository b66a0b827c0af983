"""Reading back what classifiers and cross-validations amount to: Table 1a and its curves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import published
from model.learning import evaluation
from model.learning.spread import spread_of_folds
from model.models import Classifier, CrossValidation, Patch
from model.selectors import NO_GROUPS, accuracy_and_auc


def fold_answers(validation: CrossValidation) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Labels and P(tumour) of each finished fold, run by run."""
    truth = dict(Patch.objects.filter(dataset=validation.dataset).values_list("id", "tumour"))
    answers = []
    for pairs in validation.results.order_by("run", "fold").values_list("predictions", flat=True):
        answers.append((np.array([truth[patch] for patch, _ in pairs], dtype=int), np.array([p for _, p in pairs])))
    return answers


def test_answers(classifier: Classifier) -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels and P(tumour) of the classifier's test patches, in the order of the split."""
    truth = dict(Patch.objects.filter(dataset=classifier.dataset).values_list("id", "tumour"))
    ids = classifier.split.get("test", [])
    labels = np.array([truth[patch] for patch in ids], dtype=int)
    return labels, np.array([classifier.test_probabilities[str(patch)] for patch in ids])


def table_1a(validation: CrossValidation) -> dict[str, Any]:
    """Mean and SD over folds and runs beside the published values, per-fold rows, pooled confusion and calibration."""
    rows = [
        {
            "run": row.run,
            "fold": row.fold,
            "n": len(row.predictions),
            "accuracy": row.accuracy,
            "auc": row.auc,
            "confusion": row.confusion,
            "colour_only": row.details.get("colour_only"),
            "seconds": row.seconds,
            "images_per_second": row.details.get("images_per_second"),
            "initialisation": row.details.get("initialisation", ""),
        }
        for row in validation.results.order_by("run", "fold")
    ]
    wanted = validation.runs * validation.folds
    table: dict[str, Any] = {
        "cross_validation_id": validation.pk,
        "dataset": validation.dataset.name,
        "runs": validation.runs,
        "folds": validation.folds,
        "finished_folds": len(rows),
        "complete": len(rows) == wanted,
        "grouped": validation.grouped,
        "warning": "" if validation.grouped else NO_GROUPS,
        "seed": validation.seed,
        "preset": validation.settings["settings"]["preset"],
        "arch": validation.settings["arch"],
        "initialisation": sorted({row["initialisation"] for row in rows}),
    }
    if not rows:
        return table
    answers = fold_answers(validation)
    labels, given = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    calibration = evaluation.calibration(labels, given)
    table |= accuracy_and_auc(validation)
    ap = [evaluation.metrics(*answer)["average_precision"] for answer in answers]
    table["average_precision"] = spread_of_folds((row["run"], value) for row, value in zip(rows, ap, strict=True))
    table["colour_only"] = {
        metric: spread_of_folds((row["run"], row["colour_only"][metric]) for row in rows if row["colour_only"])
        for metric in ("accuracy", "auc")
    }
    table["paper"] = {metric: published.TABLE_1A[metric] for metric in ("accuracy", "auc")}
    table["confusion"] = np.sum([row["confusion"] for row in rows], axis=0).tolist()
    table["calibration"] = calibration
    table["seconds"] = round(sum(row["seconds"] for row in rows), 1)
    table["per_fold"] = rows
    return table
