"""The AUC with its interval: how often a patch with tumour is ranked above one without, over slides like these.

No scikit-learn: pages show it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from core.proportions import Interval

Values = NDArray[Any]


def auc_over_units(labels: Values, probabilities: Values, unit: Values) -> tuple[float, Interval | None]:
    """AUC with its 95 % interval on the logit scale; patches of one ``unit`` (slide or patient) are no independent
    draws (Obuchowski, Biometrics 53:567, 1997). With one patch per unit the variance is DeLong's (1988).

    The interval is None where every pair is ranked right, or every pair wrong, and where there are fewer than two
    units of either class: then nothing tells how others would have come out.
    """
    truth, given = np.asarray(labels).astype(bool), np.asarray(probabilities, float)
    names, index = np.unique(np.asarray(unit).astype(str), return_inverse=True)
    above, below = _placements(given[truth], given[~truth]), _placements(-given[~truth], -given[truth])
    auc, (m, n) = float(above.mean()), (len(above), len(below))
    of_positives = np.bincount(index[truth], weights=above - auc, minlength=len(names))
    of_negatives = np.bincount(index[~truth], weights=below - auc, minlength=len(names))
    with_positives, with_negatives = (len(np.unique(index[which])) for which in (truth, ~truth))
    if not 0 < auc < 1 or min(with_positives, with_negatives) < 2:
        return auc, None
    variance = (
        with_positives / (with_positives - 1) * float((of_positives**2).sum()) / m**2
        + with_negatives / (with_negatives - 1) * float((of_negatives**2).sum()) / n**2
        + 2 * len(names) / (len(names) - 1) * float((of_positives * of_negatives).sum()) / (m * n)
    )
    if variance < 1e-15:
        return auc, None
    half = float(stats.norm.ppf(0.975)) * variance**0.5 / (auc * (1 - auc))
    low, high = (float(special.expit(special.logit(auc) + sign * half)) for sign in (-1, 1))
    return auc, (low, high)


def auc(labels: Values, probabilities: Values) -> float:
    """How often a patch with tumour is ranked above one without; a tie counts half. NaN where one class is missing."""
    truth, given = np.asarray(labels).astype(bool), np.asarray(probabilities, float)
    if truth.all() or not truth.any():
        return float("nan")
    return float(_placements(given[truth], given[~truth]).mean())


def _placements(own: Values, others: Values) -> Values:
    """For each of ``own`` the share of ``others`` that lie below it; a tie counts half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, own, "left"), np.searchsorted(ordered, own, "right")
    return (left + right) / (2 * len(others))
