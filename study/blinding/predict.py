"""Cross-validated prediction of labels from a channel, tested against the labels of redrawn schedules.

The test is exact. If what a reader receives does not depend on the stimulus, the labels that another seed would have
put at the same positions can be predicted just as well. So the same statistic is computed for the true labels and for
those of ``B`` redrawn schedules, and p = (1 + number of redrawn statistics >= the true one) / (1 + B). Whatever depends
on the position alone (a slow start, the digits of a number) is the same for all of them: it raises no false alarm.

There are two predictors: ridge regression on all numbers (finds many weak signs), and the single number that correlates
best on the training folds (finds one strong sign). Both are linear in the labels, so that one matrix product predicts
all redrawn labels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
FOLDS = 5
RESAMPLES = 300
TIE = 1e-12
# Fewer redraws are enough where more than so many of them do as well as the truth (Besag and Clifford 1991).
FIRST_LOOK = 199
CLEARLY_NOTHING = 10


@dataclass(frozen=True, slots=True)
class Prediction:
    """AUC of the better predictor with a bootstrap 95 % interval, and the p-value against redrawn schedules."""

    auc: float
    low: float
    high: float
    p: float


def standardised(x: Floats) -> Floats:
    """Columns of mean 0 and SD 1; columns that never change are dropped."""
    spread = x.std(axis=0)
    varies = spread > 1e-12
    return (x[:, varies] - x[:, varies].mean(axis=0)) / spread[varies]


def auc(scores: Floats, labels: NDArray[np.bool_]) -> Floats:
    """Area under the ROC curve per column: scores and labels (n, b); 0.5 where only one label occurs."""
    ranks = rankdata(scores, axis=0)
    positive = labels.sum(axis=0)
    negative = len(labels) - positive
    above = (ranks * labels).sum(axis=0) - positive * (positive + 1) / 2
    return np.where((positive > 0) & (negative > 0), above / np.maximum(positive * negative, 1), 0.5)


def cross_validated(x: Floats, labels: NDArray[np.bool_], seed: int) -> tuple[Floats, Floats]:
    """Out-of-fold scores of both predictors, each (n, b), for standardised ``x`` (n, f) and ``labels`` (n, b)."""
    n, f = x.shape
    fold = np.random.default_rng(seed).permutation(np.arange(n) % FOLDS)
    y = labels.astype(float)
    ridge, single = np.zeros_like(y), np.zeros_like(y)
    for number in range(FOLDS):
        test = fold == number
        train_x, train_y = x[~test], y[~test] - y[~test].mean(axis=0)
        correlation = train_x.T @ train_y
        # The penalty grows with the number of columns, as noise columns would fit the training folds otherwise.
        ridge[test] = x[test] @ np.linalg.solve(train_x.T @ train_x + (f + 1.0) * np.eye(f), correlation)
        best = np.abs(correlation).argmax(axis=0)
        single[test] = x[test][:, best] * np.sign(correlation[best, np.arange(y.shape[1])])
    return ridge, single


def _weighted_auc(scores: Floats, labels: NDArray[np.bool_], weights: Floats) -> Floats:
    """AUC per column of ``weights`` (n, r), ties counted half."""
    level = np.unique(scores, return_inverse=True)[1]
    size = level.max() + 1
    positive, negative = np.zeros((size, weights.shape[1])), np.zeros((size, weights.shape[1]))
    np.add.at(positive, level[labels], weights[labels])
    np.add.at(negative, level[~labels], weights[~labels])
    below = np.cumsum(negative, axis=0) - 0.5 * negative
    total = positive.sum(axis=0) * negative.sum(axis=0)
    return np.where(total > 0, (positive * below).sum(axis=0) / np.maximum(total, 1e-300), 0.5)


def predict(x: Floats, labels: NDArray[np.bool_], members: NDArray[np.intp], *, seed: int) -> Prediction:
    """How well ``labels[..., 0]`` can be predicted from ``x``.

    Args:
        x: numbers, (n, f).
        labels: (targets, n, 1 + B); the first column is the truth, the others are redrawn. With several targets (more
            than two arms) the best predicted one counts, for the truth and for every redraw alike.
        members: (n, m) presentations of a row, one for the arms and two for pairs: what the bootstrap draws.
    """
    x = standardised(x)
    if x.shape[1] == 0:
        return Prediction(0.5, 0.5, 0.5, 1.0)
    best, scores, truth = _statistics(x, labels[..., : FIRST_LOOK + 1], seed)
    if np.count_nonzero(best[1:] >= best[0] - TIE) <= CLEARLY_NOTHING:
        best, scores, truth = _statistics(x, labels, seed)
    p = (1 + np.count_nonzero(best[1:] >= best[0] - TIE)) / len(best)
    low, high = _interval(scores, truth, members, seed)
    return Prediction(float(best[0]), low, high, float(p))


def _statistics(x: Floats, labels: NDArray[np.bool_], seed: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """The best AUC over targets and predictors per column, (b,), and the scores and labels of the first column's."""
    predicted = [(scores, target) for target in labels for scores in cross_validated(x, target, seed)]
    areas = np.array([auc(scores, target) for scores, target in predicted])
    scores, target = predicted[int(areas[:, 0].argmax())]
    return areas.max(axis=0), scores[:, 0], target[:, 0]


def _interval(scores: Floats, truth: NDArray[np.bool_], members: NDArray[np.intp], seed: int) -> tuple[float, float]:
    """Percentile bootstrap over presentations; a pair weighs as often as both of its members were drawn."""
    n = int(members.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).T
    weights = np.prod(drawn[members], axis=1).astype(float)
    low, high = np.percentile(_weighted_auc(scores, truth, weights), [2.5, 97.5])
    return float(low), float(high)
