"""How well a classifier does: float32 probabilities, and the numbers and curves that are made of them.

Curves are plain arrays; nothing here needs a network except ``predict``.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import metrics as sk
from torch import nn

from core.errors import InvalidInput, Progress, no_progress

Floats = NDArray[np.floating[Any]]
PAPER = {"accuracy": {"mean": 0.89, "sd": 0.014}, "auc": {"mean": 0.96, "sd": 0.004}}
"""Table 1a as published: ResNet-18 on PanNuke breast, five runs of three folds."""


def predict(
    network: nn.Module,
    images: NDArray[np.uint8],
    *,
    device: str | torch.device | None = None,
    batch_size: int = 0,
    progress: Progress = no_progress,
) -> NDArray[np.float32]:
    """P(tumour) of each uint8 image (n, h, w, 3), float32 (n,), by a float32 forward pass in evaluation mode."""
    where = torch.device(device) if device else next(network.parameters()).device
    size = batch_size or (256 if where.type == "cuda" else 16)
    was_training = network.training
    network.to(where).eval()
    answers = np.empty(len(images), dtype=np.float32)
    with torch.inference_mode(), full_precision():
        for start in range(0, len(images), size):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + size])).to(where)
            logits = network(batch.permute(0, 3, 1, 2).float() / 255).float()
            answers[start : start + size] = logits.softmax(1)[:, 1].cpu().numpy()
            progress(min(start + size, len(images)), len(images))
    network.train(was_training)
    return answers


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """float32 means float32: no TF32 in CUDA's convolutions and matrix products, deterministic kernels."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


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
    error = 0.0
    for part in np.array_split(np.arange(len(truth)), max(1, min(bins, len(truth) // least))):
        predicted, observed = float(given[part].mean()), float(truth[part].mean())
        low, high = wilson(truth[part].sum(), len(part))
        for name, value in zip(columns, (predicted, observed, low, high, len(part)), strict=True):
            columns[name].append(value)
        error += len(part) / len(truth) * abs(predicted - observed)
    return columns | {"ece": [error]}


def wilson(successes: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def band(curves: Sequence[tuple[Floats, Floats]], grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, mean - SD and mean + SD over curves (x rising, y) at the points of ``grid``; SD is 0 for one curve."""
    values = np.stack([np.interp(grid, x, y) for x, y in curves])
    middle = values.mean(0)
    spread = values.std(0, ddof=1) if len(values) > 1 else np.zeros_like(middle)
    return middle, np.clip(middle - spread, 0, 1), np.clip(middle + spread, 0, 1)
