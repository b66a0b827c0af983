"""Response times: does a perturbed patch take longer?"""

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from scipy import stats

from study.statistics.paired import Interval


@dataclass(frozen=True)
class ResponseTime:
    """Ratio perturbed / original of geometric mean times, over patches."""

    ratio: float
    ci95: Interval | None
    p: float | None
    wilcoxon_p: float | None
    patches: int
    original_ms: float
    perturbed_ms: float


def response_time(original_ms: np.ndarray, perturbed_ms: np.ndarray, patch: np.ndarray) -> ResponseTime | None:
    """Paired readings (N,) of positive times and their patch (N,).

    Differences of log times are averaged within a patch; then a paired t test and Wilcoxon's signed rank over the
    patches. None without any pair; interval and p are None for one patch or without spread.
    """
    if len(patch) == 0:
        return None
    log_o, log_p = np.log(np.asarray(original_ms, float)), np.log(np.asarray(perturbed_ms, float))
    _, index = np.unique(patch, return_inverse=True)
    d = np.bincount(index, weights=log_p - log_o) / np.bincount(index)
    n, mean = len(d), float(d.mean())
    ci, p, wilcoxon = None, None, None
    if n > 1 and np.ptp(d) > 1e-12:
        se = float(d.std(ddof=1)) / sqrt(n)
        half = float(stats.t.ppf(0.975, n - 1)) * se
        ci, p = (exp(mean - half), exp(mean + half)), float(2 * stats.t.sf(abs(mean) / se, n - 1))
    if n > 1 and np.any(np.abs(d) > 1e-12):
        wilcoxon = float(stats.wilcoxon(d).pvalue)
    return ResponseTime(exp(mean), ci, p, wilcoxon, n, exp(float(log_o.mean())), exp(float(log_p.mean())))
