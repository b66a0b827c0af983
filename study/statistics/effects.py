"""Estimates over readers and units (slides, or patches) that are both a sample: :func:`readers_and_units`.

Each reader's estimate, and the same without each unit in turn, are all that is needed, so that one method serves
differences, differences of differences and slopes. A change that is claimed of readers in general goes by ``two_way``,
which is wide for two or three readers; whether the order mattered in these readings goes by the narrower form here.
``benchmarks/lib/order_effects.py`` simulates how often the intervals of both cover.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from scipy import stats

from core.proportions import Interval
from study.statistics.two_way import PerReader, over_readers

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
    def change(
        cls, estimates: np.ndarray, left: np.ndarray, rows: np.ndarray, *, answers: int, fewest: int, centre: float
    ) -> "Effect":
        """A change of a fraction, from each reader's (r,), and those with a unit left out (g, r), by ``over_readers``.

        ``rows`` are the answers to each unit, ``centre`` is the middle of the interval. With fewer than ``fewest``
        units there is an interval, but no test.
        """
        mean = float(estimates.mean())
        found = over_readers(PerReader(estimates - mean + centre, left.T, rows), bounds=(-1.0, 1.0))
        return cls(mean, found.ci95, found.p, len(estimates), len(rows), answers)._tested_from(fewest)

    @classmethod
    def of(cls, estimates: np.ndarray, left: np.ndarray, *, units: int, answers: int, fewest: int) -> "Effect":
        """Any other estimate, from each reader's (r,) and those with a unit left out (g, r), by ``readers_and_units``.

        With fewer than ``fewest`` units there is an interval, but no test.
        """
        mean, spread = float(estimates.mean()), readers_and_units(estimates, left, units)
        if not spread.variance > 1e-18:
            return cls(mean, None, None, len(estimates), units, answers, "no error can be seen: the answers are alike")
        half = float(spread.half_width())
        p = float(2 * stats.t.sf(abs(mean) / sqrt(float(spread.variance)), float(spread.df)))
        return cls(mean, (mean - half, mean + half), p, len(estimates), units, answers)._tested_from(fewest)

    def _tested_from(self, fewest: int) -> "Effect":
        if self.units >= fewest:
            return self
        return replace(self, p=None, reason=f"{self.units} units are too few for a test (fewer than {fewest})")
