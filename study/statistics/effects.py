"""Estimates over readers and units (slides, or patches) that are both a sample: :func:`readers_and_units`.

Each reader's estimate, and the same without each unit in turn, are all that is needed, so that one method serves
differences, differences of differences and slopes. ``benchmarks/lib/order_effects.py`` simulates how often its
intervals cover.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from study.statistics.paired import Interval

LEVEL = 0.95


@dataclass(frozen=True)
class Spread:
    """Variance of the readers' mean and its degrees of freedom; arrays where many studies are simulated at once."""

    variance: np.ndarray
    df: np.ndarray

    def half_width(self, level: float = LEVEL) -> np.ndarray:
        return stats.t.ppf((1 + level) / 2, self.df) * np.sqrt(self.variance)


def readers_and_units(estimates: np.ndarray, left: np.ndarray, units: int) -> Spread:
    """The spread of the mean over readers of ``estimates`` (..., r).

    ``left`` (..., g, r) holds the estimates with each unit left out, which gives the jackknife's covariances S of the
    readers' estimates: every reader saw the same units. With V the variance of the mean over units, the readers held
    fixed, and the readers' own spread

        V = sum(S) / r^2,    R = max(var(estimates) / r - (mean of S's diagonal - mean off it) / r, 0),

    the variance is V + R, on Satterthwaite's degrees of freedom (V on ``units`` - 1, R on r - 1). R is what readers
    differ by beyond the errors of their own answers (as in Obuchowski & Rockette 1995). For one reader it is V.
    """
    r, g = left.shape[-1], left.shape[-2]
    centred = left - left.mean(axis=-2, keepdims=True)
    s = (g - 1) / g * np.swapaxes(centred, -1, -2) @ centred
    total, own = s.sum(axis=(-1, -2)), np.trace(s, axis1=-2, axis2=-1)
    over_units = np.maximum(total, 0.0) / r**2  # rounding can leave less than nothing
    if r == 1:
        return Spread(over_units, np.full(over_units.shape, units - 1.0))
    chance = (own / r - (total - own) / (r * (r - 1))) / r
    between = np.maximum(estimates.var(axis=-1, ddof=1) / r - chance, 0.0)
    variance = over_units + between
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / (over_units**2 / (units - 1) + between**2 / (r - 1))
    return Spread(variance, np.where(variance > 0, df, units - 1.0))


@dataclass(frozen=True)
class Effect:
    """An estimate over ``readers`` and ``units``, with its 95 % interval and the two-sided p that it is not zero.

    ``reason`` says why a part is None.
    """

    estimate: float | None
    ci95: Interval | None
    p: float | None
    readers: int
    units: int
    answers: int
    reason: str = ""

    @classmethod
    def none(cls, reason: str, answers: int = 0) -> "Effect":
        return cls(None, None, None, 0, 0, answers, reason)

    @property
    def found(self) -> bool:
        """Whether zero lies outside the interval, where a test may be made at all."""
        return self.p is not None and self.p < 1 - LEVEL

    @classmethod
    def of(
        cls,
        estimates: np.ndarray,
        left: np.ndarray,
        *,
        units: int,
        answers: int,
        fewest: int,
        bounded: bool = False,
        centre: float | None = None,
    ) -> "Effect":
        """From each reader's estimate (r,) and those with a unit left out (g, r).

        ``centre`` is the middle of the interval where it is not the estimate; ``bounded`` cuts it at -1 and 1. With
        fewer than ``fewest`` units there is an interval, but no test.
        """
        mean = float(estimates.mean())
        if units < 2:
            return cls(mean, None, None, len(estimates), units, answers, "one unit only, so that no spread is seen")
        spread = readers_and_units(estimates, left, units)
        if not spread.variance > 1e-18:
            return cls(mean, None, None, len(estimates), units, answers, "no error can be seen: the answers are alike")
        middle, half = (mean if centre is None else centre), float(spread.half_width())
        low, high = middle - half, middle + half
        if bounded:
            low, high = max(low, -1.0), min(high, 1.0)
        if units < fewest:
            reason = f"{units} units are too few for a test (fewer than {fewest})"
            return cls(mean, (low, high), None, len(estimates), units, answers, reason)
        p = float(2 * stats.t.sf(abs(middle) / sqrt(float(spread.variance)), float(spread.df)))
        return cls(mean, (low, high), p, len(estimates), units, answers)
