"""The blind spot: how often does the model flip below what a reader sees, and by how much?

    blind-spot index   share of (reader, patch) with flip < threshold
    safety factor      median over (reader, patch) of threshold / flip

Nobody measures the threshold of one reader on one patch exactly. So the share is the mean of the probabilities, given
all answers, that the threshold lies above the flip (:mod:`study.statistics.visibility.model`). A patch without a flip
up to the largest change that was tried counts as one that does not flip: the index is then the smallest that fits.

The interval speaks of other readers and other patches like these: by :mod:`study.statistics.two_way`, on the probit
scale, since shares near 0 and 1 are lopsided. The safety factor's interval holds the factors m for which the share of
threshold / flip above m may be one half (Woodruff 1952).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, special

from core.proportions import Interval, wilson
from study.statistics.two_way import Overall, PerReader, over_readers
from study.statistics.visibility.fitting import Fit, derivative
from study.statistics.visibility.model import READER_SD, Posterior

NEAR = 1e-5
"""Shares are told from 0 and 1 so far."""
LEAST_KEPT = 0.3
"""Of a reader's distance from the others, where answers are so few that the prior holds nearly all of it."""


@dataclass(frozen=True)
class Flips:
    """Log of the smallest flip per patch (patches,), +inf where none was found; ``unit`` (patches,): the slide of each,
    as numbers from 0."""

    log: np.ndarray
    unit: np.ndarray

    @property
    def found(self) -> int:
        return int(np.isfinite(self.log).sum())


@dataclass(frozen=True)
class Share:
    """A share over readers and patches; ``ci95`` None where it does not exist."""

    value: float
    ci95: Interval | None
    """Other readers and other patches like these."""
    these_ci95: Interval | None
    """These readers, other patches."""
    per_reader: tuple[float, ...]


class Comparison:
    """Thresholds of one fit beside the flips of the same patches."""

    def __init__(self, fit: Fit, flips: Flips) -> None:
        self.fit, self.flips = fit, flips
        self.units = np.bincount(flips.unit)
        few = len(self.units) / max(len(self.units) - 1, 1)  # the whole jackknife, for a mean
        self._moved = few * np.stack([np.bincount(flips.unit, weights=column) for column in fit.moved.T], axis=1)

    def over_readers(self, of: Callable[[np.ndarray], np.ndarray]) -> Overall:
        """Mean over readers of a function of the parameters, (R,)."""
        value, slope = of(self.fit.at), derivative(of, self.fit.at)
        drawn = np.diagonal(slope) * (self._apart - (self.fit.mean - self.fit.mean.mean()))
        value = value + drawn - drawn.mean()
        return over_readers(PerReader(value, value[:, None] + self._widened(slope), self.units))

    @cached_property
    def _apart(self) -> np.ndarray:
        """How far each reader's log threshold lies from the mean, by that reader's answers alone (R,).

        The fit draws readers towards each other by its prior, the more the fewer the answers, so that they look more
        alike than they are. What it drew is given back before their spread is taken.
        """
        r = len(self.fit.mean)
        apart = self.fit.mean - self.fit.mean.mean()
        if r == 1:
            return apart
        centre = np.eye(r) - 1 / r
        unknown = np.diagonal(centre @ self.fit.covariance[:r, :r] @ centre) * r / (r - 1)
        return apart / np.clip(1 - unknown / READER_SD**2, LEAST_KEPT, 1.0)

    def each_reader(self, of: Callable[[np.ndarray], np.ndarray]) -> list[Overall]:
        """The same of each reader alone, patches random."""
        value = of(self.fit.at)
        slope = derivative(of, self.fit.at)
        found = []
        for r in range(len(value)):
            moved = self._widened(slope[[r]])
            found.append(over_readers(PerReader(value[[r]], value[[r], None] + moved, self.units)))
        return found

    def _widened(self, slope: np.ndarray) -> np.ndarray:
        """What leaving out a unit does to numbers of this slope (numbers, units), through the parameters.

        Where answers are few the jackknife sees less than the model knows to be unknown (a prior moves with no unit):
        then it is stretched until the mean of the numbers is as uncertain as the model says.
        """
        moved = slope @ self._moved.T
        mean = slope.mean(axis=0)
        seen = float(((moved.mean(axis=0) - moved.mean()) ** 2).sum()) * (len(self.units) - 1) / len(self.units)
        expected = float(mean @ self.fit.covariance @ mean)
        return moved * np.sqrt(max(expected / max(seen, 1e-12), 1.0))

    @cached_property
    def _patch(self) -> Posterior:
        return self.fit.model.posterior(self.fit.at)

    @cached_property
    def _follow(self) -> Posterior:
        return self.fit.model.follows(self.fit.at)

    def _beyond(self, log_factor: float) -> np.ndarray:
        """How many of the posterior's SDs threshold / flip lies above the factor (R, patches)."""
        return (self.fit.mean[:, None] + self._patch.mean - self.flips.log - log_factor) / self._patch.sd

    def blind(self, log_factor: float = 0.0) -> np.ndarray:
        """P(threshold > factor x flip | answers) of every reader and patch (R, patches)."""
        return special.ndtr(self._beyond(log_factor))

    def _dense(self, log_factor: float) -> np.ndarray:
        """How each patch's part of a reader's share moves with that reader's log threshold (R, patches)."""
        beyond = self._beyond(log_factor)
        return np.exp(-0.5 * beyond**2) / np.sqrt(2 * np.pi) / self._patch.sd / beyond.shape[1]

    def blind_follows(self, log_factor: float = 0.0) -> np.ndarray:
        """How each reader's share of patches moves with the parameters (R, parameters)."""
        beyond, dense = self._beyond(log_factor), self._dense(log_factor)
        stretched = dense * np.where(np.isfinite(beyond), beyond, 0.0)
        slope = dense @ self._follow.mean.T - stretched @ self._follow.sd.T
        readers = np.arange(len(slope))
        slope[readers, readers] += dense.sum(axis=1)  # the means are the first parameters
        return slope

    def share(self, log_factor: float = 0.0) -> Share:
        """Share of (reader, patch) with threshold / flip above the factor: at 0 the blind-spot index."""
        chance, slope = self.blind(log_factor), self.blind_follows(log_factor)
        value, mean = chance.mean(axis=1), float(chance.mean())
        own = np.bincount(self.flips.unit, weights=chance.mean(axis=0))
        without = (own.sum() - own) / np.maximum(chance.shape[1] - self.units, 1)
        units, steep = len(self.units), _probit_slope(np.array(mean))
        patches = _probit(without) - _probit(np.array(mean)) + self._widened(steep * slope.mean(axis=0)[None])[0]
        # On the probit scale the share follows the readers' log thresholds as a straight line, near 0 and 1 as well,
        # where readers' own shares say little: so readers differ by what their thresholds make of the share of all.
        follows = steep * float(self._dense(log_factor).sum(axis=1).mean())
        apart = self._widened(np.eye(len(value), len(self.fit.at)))  # the means are the first parameters
        middle = float(_probit(np.array(mean)))
        values = middle + follows * (self._apart - self._apart.mean())
        left = values[:, None] + patches + follows * (apart - apart.mean(axis=0))
        these = over_readers(PerReader(np.array([middle]), middle + patches[None], self.units))
        return Share(
            mean,
            _interval(mean, over_readers(PerReader(values, left, self.units)), units),
            _interval(mean, these, units),
            tuple(value.tolist()),
        )

    def factor(self) -> tuple[float | None, Interval | None]:
        """The safety factor and its interval; None where half of the flips or more were not found."""
        middle = self._at_share(0.5)
        if middle is None:
            return None, None
        ci = self.share(middle).ci95
        low, high = (None, None) if ci is None else (self._at_share(ci[1]), self._at_share(ci[0]))
        return float(np.exp(middle)), None if low is None or high is None else (float(np.exp(low)), float(np.exp(high)))

    def _at_share(self, share: float) -> float | None:
        """The log factor above which ``share`` of all threshold / flip lie."""

        def above(log_factor: float) -> float:
            return float(self.blind(log_factor).mean()) - share

        low, high = -12.0, 12.0
        if above(low) < 0 or above(high) > 0:
            return None
        return float(optimize.brentq(above, low, high, xtol=1e-4))


def _probit(share: np.ndarray) -> np.ndarray:
    return special.ndtri(np.clip(share, NEAR, 1 - NEAR))


def _probit_slope(share: np.ndarray) -> np.ndarray:
    """How the probit moves with the share; not at all where it is cut."""
    inside = (share > NEAR) & (share < 1 - NEAR)
    return np.where(inside, np.sqrt(2 * np.pi) * np.exp(0.5 * _probit(share) ** 2), 0.0)


def _interval(share: float, found: Overall, units: int) -> Interval | None:
    """As wide about the share as ``found`` about the mean probit; never narrower than Wilson's for so many units."""
    if units < 2:
        return None
    least = wilson(share * units, units)
    if found.ci95 is None:  # all alike: what so many units cannot rule out
        return least
    half, middle = (found.ci95[1] - found.ci95[0]) / 2, float(_probit(np.array(share)))
    low, high = (float(special.ndtr(middle + side * half)) for side in (-1, 1))
    return min(low, least[0]), max(high, least[1])
