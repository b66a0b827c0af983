"""How well can a threshold be known at all? The ideal observer of two-alternative forced choices.

However levels are chosen, an answer tells no more of the log threshold than the Fisher information at the best level,
and an unbiased estimate from N answers has at least the variance 1 / (N information) (Cramer and Rao). Here slope and
lapse rate are taken as known, which no study knows: it is a bound, not a promise.
"""

from collections.abc import Iterable
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


def best(slope: float, lapse: float = 0.0) -> tuple[float, float]:
    """The log level at which one answer tells the most, and how much."""
    grid = np.linspace(-4, 4, 4001)
    told = information(grid, slope, lapse)
    return float(grid[told.argmax()]), float(told.max())


def of_patches(slope: float, lapse: float, patch_sd: float, looks: int) -> float:
    """Most information of ``looks`` answers on one patch of unknown difficulty, on the reader's mean log threshold.

    One or two looks; the level of the second is the best one after a right and after a wrong first answer.
    """
    node, weight = _HERMITE[0] * patch_sd, _HERMITE[1] / _HERMITE[1].sum()
    grid = np.linspace(-2, 2.5, 91)
    f = expit(slope * (grid[:, None] - node))
    room = 1 - GUESS - lapse
    p, slant = GUESS + room * f, -room * slope * f * (1 - f)  # of the mean, at each level (levels, nodes)
    answers = ((p, slant), (1 - p, -slant))
    if looks == 1:
        return float(sum((d @ weight) ** 2 / (q @ weight) for q, d in answers).max())
    if looks != 2:
        raise ValueError("one or two looks")
    told = np.zeros(len(grid))
    for q, d in answers:  # the first answer, at each level
        after = np.zeros((len(grid), len(grid)))
        for q2, d2 in answers:
            both = (q * weight) @ q2.T
            after += ((d * weight) @ q2.T + (q * weight) @ d2.T) ** 2 / both
        told += after.max(axis=1)
    return float(told.max())


def within(share: float, sd: float) -> float:
    """How often an estimate with this SD of its log lies within +- ``share`` (0.15) of the truth."""
    return float(2 * ndtr(log(1 + share) / sd) - 1)


def slopes(middle: float, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Readers' slopes with their weights."""
    return middle * np.exp(sd * _HERMITE[0][8:-8]), _HERMITE[1][8:-8] / _HERMITE[1][8:-8].sum()


def needed(share: float, often: float, told: float) -> int:
    """Answers of ``told`` information each after which an estimate is within ``share`` so ``often``."""
    sd = optimize.brentq(lambda one: within(share, one) - often, 1e-3, 10)
    return int(np.ceil(1 / (told * sd**2)))


def mean_information(log_levels: Iterable[float], slope: float, lapse: float, spread: float = 0.0) -> float:
    """Of one answer in the fixed design: every level equally often, thresholds with an SD of ``spread`` around 0."""
    place = _HERMITE[0] * spread
    weight = _HERMITE[1] / _HERMITE[1].sum()
    return float(np.mean([information(one - place, slope, lapse) @ weight for one in log_levels]))
