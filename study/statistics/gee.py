"""Sensitivity analysis: the same question on the scale of odds, over all answers."""

from dataclasses import dataclass
from math import exp, log

import numpy as np

from core.proportions import Interval
from study.statistics.two_way import PerReader, over_readers, sums

ONE_READER = "GEE, logit link, working independence, clustered on the unit, t on units - 1, for this reader alone"
SEVERAL_READERS = "GEE, logit link, working independence, clustered on reader and unit (two-way)"


@dataclass(frozen=True)
class Gee:
    """Odds of a correct answer, perturbed against original."""

    odds_ratio: float
    ci95: Interval
    p: float
    method: str
    readers: int
    units: int


def gee(correct: np.ndarray, perturbed: np.ndarray, unit: np.ndarray, reader: np.ndarray | None = None) -> Gee | None:
    """Marginal logistic regression of ``correct`` on ``perturbed`` (both (N,) of 0/1), clustered two ways.

    Generalised estimating equations under working independence, whose estimate is the odds ratio of the two arms'
    pooled answers. An answer y contributes +-(y - p) / (n p (1 - p)) to the log odds ratio; these contributions, summed
    per reader and ``unit``, take the place of the readers' numbers in :mod:`study.statistics.two_way`. With patches as
    the only clusters five readers gave 10 to 14 % false claims at 5 %.

    None where an arm is all correct or all wrong (the odds ratio has no finite estimate), or without spread.
    """
    correct, perturbed = np.asarray(correct, float), np.asarray(perturbed, float)
    log_odds, contribution = [], np.zeros(len(correct))
    for arm, sign in ((0, -1), (1, 1)):
        chosen = perturbed == arm
        n = int(chosen.sum())
        p = float(correct[chosen].mean()) if n else 0.0
        if p in (0.0, 1.0):
            return None
        log_odds.append(log(p / (1 - p)))
        contribution[chosen] = sign * (correct[chosen] - p) / (n * p * (1 - p))
    estimate = log_odds[1] - log_odds[0]
    (cells,), rows = sums([contribution], np.zeros(len(correct)) if reader is None else reader, unit)
    r, n = cells.shape
    if n < 2:
        return None
    # Pseudo-values: their mean is the estimate, their spread the readers'; without a unit, its contribution is lost.
    value = estimate + r * cells.sum(axis=1)
    found = over_readers(PerReader(value, value[:, None] - r * cells * n / (n - 1), rows))
    if found.ci95 is None or found.p is None:
        return None
    low, high = found.ci95
    return Gee(exp(estimate), (exp(low), exp(high)), found.p, ONE_READER if r == 1 else SEVERAL_READERS, r, n)
