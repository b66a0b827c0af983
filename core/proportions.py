"""Intervals of a proportion, wherever one is shown: Wilson's, and the exact one of Clopper and Pearson."""

from math import isclose, sqrt
from typing import Any

from scipy import stats


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


def exact(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval of ``successes`` in ``n`` > 0, as shares: at least so sure, whatever the share."""
    interval = stats.binomtest(successes, n).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def share_exactly(count: int, of: int) -> dict[str, Any]:
    """A share with its exact 95 % interval: {"count", "of", "share", "low", "high"}; nulls where ``of`` is 0."""
    if not of:
        return {"count": 0, "of": 0, "share": None, "low": None, "high": None}
    low, high = exact(count, of)
    return {"count": count, "of": of, "share": count / of, "low": low, "high": high}
