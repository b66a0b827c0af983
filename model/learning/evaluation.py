"""How well a classifier does: the numbers and curves that are made of labels and P(tumour).

Curves are plain arrays; no network is needed here (``model.learning.prediction`` asks one).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from core.errors import InvalidInput
from core.proportions import wilson

Floats = NDArray[np.floating[Any]]


def metrics(labels: NDArray[Any], probabilities: Floats) -> dict[str, Any]:
    """n, accuracy at 0.5, AUC, average precision, Brier score and the confusion matrix [[tn, fp], [fn, tp]].

    Raises InvalidInput where only one class is present: AUC is then undefined.
    """
    truth = np.asarray(labels).astype(int)
    if len(np.unique(truth)) != 2:
        raise InvalidInput(f"The {len(truth)} patches to evaluate are all of one class; AUC needs both.")
    called = np.asarray(probabilities) >= 0.5
    return {
        "n": len(truth),
        "positives": int(truth.sum()),
        "accuracy": float(sk.accuracy_score(truth, called)),
        "auc": float(sk.roc_auc_score(truth, probabilities)),
        "average_precision": float(sk.average_precision_score(truth, probabilities)),
        "brier": float(sk.brier_score_loss(truth, np.asarray(probabilities, dtype=float))),
        "confusion": sk.confusion_matrix(truth, called, labels=[0, 1]).tolist(),
    }


def roc(labels: NDArray[Any], probabilities: Floats) -> tuple[Floats, Floats]:
    """False-positive rate and true-positive rate at every threshold, both from 0 to 1."""
    false_positive, true_positive, _ = sk.roc_curve(labels, probabilities, drop_intermediate=False)
    return false_positive, true_positive


def precision_recall(labels: NDArray[Any], probabilities: Floats) -> tuple[Floats, Floats]:
    """Recall (rising from 0) and precision at every threshold."""
    precision, recall, _ = sk.precision_recall_curve(labels, probabilities)
    return recall[::-1], precision[::-1]


def calibration(labels: NDArray[Any], probabilities: Floats, bins: int = 10, least: int = 8) -> dict[str, list[float]]:
    """Up to ``bins`` bins of equally many patches (``least`` or more), by rising P(tumour): their mean P(tumour),
    observed share of tumour with Wilson 95 % limits, and count.

    ``ece`` (one value) is the expected calibration error, the mean distance of the two weighted by count. Equal counts,
    since most answers lie near 0 and 1, and bins of equal width would hold single patches in between.
    """
    order = np.argsort(probabilities, kind="stable")
    truth, given = np.asarray(labels, dtype=float)[order], np.asarray(probabilities, dtype=float)[order]
    columns: dict[str, list[float]] = {name: [] for name in ("predicted", "observed", "low", "high", "count")}
    for part in _bins(len(truth), bins, least):
        predicted, observed = float(given[part].mean()), float(truth[part].mean())
        low, high = wilson(int(truth[part].sum()), len(part))
        for name, value in zip(columns, (predicted, observed, low, high, len(part)), strict=True):
            columns[name].append(value)
    return columns | {"ece": [calibration_error(labels, probabilities, bins, least)]}


def calibration_error(labels: NDArray[Any], probabilities: Floats, bins: int = 10, least: int = 8) -> float:
    """The expected calibration error alone, by the same bins."""
    order = np.argsort(probabilities, kind="stable")
    off = np.asarray(probabilities, dtype=float)[order] - np.asarray(labels, dtype=float)[order]
    return float(sum(abs(off[part].sum()) for part in _bins(len(off), bins, least)) / len(off))


def _bins(count: int, bins: int, least: int) -> list[NDArray[np.integer[Any]]]:
    return np.array_split(np.arange(count), max(1, min(bins, count // least)))


def band(curves: Sequence[tuple[Floats, Floats]], grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, mean - SD and mean + SD over curves (x rising, y) at the points of ``grid``; SD is 0 for one curve."""
    values = np.stack([np.interp(grid, x, y) for x, y in curves])
    middle = values.mean(0)
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros_like(middle)
    return middle, np.clip(middle - spread, 0, 1), np.clip(middle + spread, 0, 1)
