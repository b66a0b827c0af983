"""Intervals of a proportion (Wilson; exact) and of the difference of two paired ones (Tango), wherever one is shown."""

from math import copysign, inf, isclose, sqrt
from typing import Any

import numpy as np
from scipy import optimize, special, stats

Interval = tuple[float, float]


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of ``successes`` in ``n`` > 0, as shares.

    Counts go through scipy. Fractions of counts, which a table has after it was deflated to its effective sample size,
    go through the same formula here, for scipy takes whole numbers only.
    """
    if isclose(successes, round(successes), abs_tol=1e-9) and float(n).is_integer():
        interval = stats.binomtest(round(successes), int(n)).proportion_ci(level, method="wilson")
        return float(interval.low), float(interval.high)
    z = float(stats.norm.ppf((1 + level) / 2))
    share, z2 = successes / n, z * z
    centre, half = share + z2 / (2 * n), z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Interval:
    """The exact binomial interval of ``successes`` in ``n`` > 0, as shares: at least so sure, whatever the share.

    Counts may be fractions where they were deflated to an effective number.
    """
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(stats.beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def share_exactly(count: int, of: int) -> dict[str, Any]:
    """A share with its exact 95 % interval: {"count", "of", "share", "low", "high"}; nulls where ``of`` is 0."""
    if not of:
        return {"count": 0, "of": 0, "share": None, "low": None, "high": None}
    low, high = clopper_pearson(count, of)
    return {"count": count, "of": of, "share": count / of, "low": low, "high": high}


def effective_number(hits: np.ndarray, size: np.ndarray) -> float:
    """How many independent answers ``size`` (k,) answers of k units are worth, of which ``hits`` (k,) were right.

    N / design effect, fewer for few units by the squared ratio of t (Korn & Graubard 1998); without any spread, one
    per unit.
    """
    n, k, share = int(size.sum()), len(size), float(hits.sum() / size.sum())
    largest = float((size**2).sum() / n)
    inflation = largest
    if k < 2:
        return n / inflation
    variance = k / (k - 1) * float(((hits - share * size) ** 2).sum()) / n**2
    if variance > 1e-15:
        inflation = min(max(variance / (share * (1 - share) / n), 1.0), largest)
    few = (special.stdtrit(n - 1, 0.975) / special.stdtrit(k - 1, 0.975)) ** 2
    return float(min(n / inflation * few, n))


def share_over_units(right: np.ndarray, unit: np.ndarray) -> tuple[float, Interval]:
    """The share of ``right`` (N,) with its 95 % Wilson interval; answers on one ``unit`` (N,) are no independent draws.

    With one answer per unit it is Wilson's interval of N.
    """
    _, index = np.unique(unit, return_inverse=True)
    size, hits = np.bincount(index), np.bincount(index, weights=np.asarray(right, float))
    share = float(hits.sum() / size.sum())
    n = int(size.sum())
    effective = n if len(size) == n else effective_number(hits, size)
    return share, wilson(share * effective, effective)


def tango(b: float, c: float, n: float, level: float = 0.95) -> Interval:
    """Tango's score interval for (c - b) / n (Statistics in Medicine 17:891, 1998).

    The set of delta with |T(delta)| <= z, T = (c - b - n delta) / sqrt(n (2 q + delta (1 - delta))), q the restricted
    maximum likelihood estimate of the probability of the smaller cell. Not of zero width for b = c = 0.
    """
    z = stats.norm.ppf((1 + level) / 2)
    delta = (c - b) / n

    def score(x: float) -> float:
        # Written so that it falls from +inf to -inf in x: the roots of score = +-z are the limits.
        second = -b - c + (2 * n - c + b) * x
        third = -b * x * (1 - x)
        q = (sqrt(max(second * second - 8 * n * third, 0.0)) - second) / (4 * n)
        variance = n * (2 * q + x * (1 - x))
        distance = delta - x
        return n * distance / sqrt(variance) if variance > 0 else 0.0 if distance == 0 else copysign(inf, distance)

    edge = 1 - 1e-12
    low = -1.0 if score(-edge) <= z else optimize.brentq(lambda x: score(x) - z, -edge, delta, xtol=1e-13)
    high = 1.0 if score(edge) >= -z else optimize.brentq(lambda x: score(x) + z, delta, edge, xtol=1e-13)
    return float(low), float(high)
