"""How well can a threshold be known at all? The ideal observer of two-alternative forced choices.

However levels are chosen, an answer tells no more of the log threshold than the Fisher information at the best level,
and an unbiased estimate from N answers has at least the variance 1 / (N information) (Cramer and Rao). Here slope and
lapse rate are taken as known, which no study knows: it is a bound, not a promise.
"""

from math import log

import numpy as np
from scipy import optimize
from scipy.special import expit, ndtr

_HERMITE = np.polynomial.hermite_e.hermegauss(41)
GUESS = 0.5


def information(log_level: np.ndarray, slope: float, lapse: float = 0.0) -> np.ndarray:
    """Of one answer on the log threshold, which is 0, at each of ``log_level``."""
    f = expit(slope * log_level)
    room = 1 - GUESS - lapse
    p = GUESS + room * f
    return (room * slope * f) ** 2 * (1 - f) * ((1 - f) / (p * (1 - p)))


def of_levels(log_levels: np.ndarray, slope: float, lapse: float, patch_sd: float = 0.0) -> np.ndarray:
    """Of one answer at each level, on a patch of unknown difficulty: its log threshold lies ``patch_sd`` around 0."""
    if not patch_sd:
        return information(log_levels, slope, lapse)
    node, weight = _HERMITE[0] * patch_sd, _HERMITE[1] / _HERMITE[1].sum()
    f = expit(slope * (np.asarray(log_levels)[:, None] - node))
    room = 1 - GUESS - lapse
    p, slant = (GUESS + room * f) @ weight, (room * slope * f * (1 - f)) @ weight
    return slant**2 / (p * (1 - p))


def best(slope: float, lapse: float = 0.0, patch_sd: float = 0.0) -> tuple[float, float]:
    """The log level at which one answer tells the most, and how much."""
    grid = np.linspace(-4, 4, 4001)
    told = of_levels(grid, slope, lapse, patch_sd)
    return float(grid[told.argmax()]), float(told.max())


def within(share: float, sd: float) -> float:
    """How often an estimate with this SD of its log lies within +- ``share`` (0.15) of the truth."""
    return float(2 * ndtr(log(1 + share) / sd) - 1)


def needed(share: float, often: float, told: float) -> int:
    """Answers of ``told`` information each after which an estimate is within ``share`` so ``often``."""
    sd = optimize.brentq(lambda one: within(share, one) - often, 1e-3, 10)
    return int(np.ceil(1 / (told * sd**2)))
