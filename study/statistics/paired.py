"""One reader, one set: the 2x2 table of a patch seen original and perturbed.

In every table: a both correct, b original only, c perturbed only, d neither; delta = (c - b) / n, the true positive
fraction on perturbed patches less that on original ones. Counts may be fractions of pairs where a table has been
deflated to its effective sample size (:mod:`study.statistics.clustered`).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from core.proportions import Interval, wilson


@dataclass(frozen=True)
class Paired:
    """Pairs of readings: a both correct, b original only, c perturbed only, d neither."""

    a: float
    b: float
    c: float
    d: float

    @property
    def n(self) -> float:
        return self.a + self.b + self.c + self.d

    @property
    def delta(self) -> float:
        """TPF(perturbed) - TPF(original)."""
        return (self.c - self.b) / self.n

    @classmethod
    def count(cls, original: np.ndarray, perturbed: np.ndarray) -> "Paired":
        """From two arrays (n,) of correctness, pair by pair."""
        o, p = np.asarray(original, bool), np.asarray(perturbed, bool)
        return cls(int((o & p).sum()), int((o & ~p).sum()), int((~o & p).sum()), int((~o & ~p).sum()))


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact conditional McNemar test: b ~ Binomial(b + c, 1/2). 1 without discordant pairs."""
    if b + c == 0:
        return 1.0
    return float(min(1.0, 2 * stats.binom.cdf(min(b, c), b + c, 0.5)))


def mcnemar_midp(b: int, c: int) -> float:
    """Mid-p version (Fagerland, Lydersen & Laake 2013): the exact p less the probability of what was seen.

    1 - pmf / 2 for b = c, as there; 1 without discordant pairs.
    """
    if b + c == 0:
        return 1.0
    seen = float(stats.binom.pmf(b, b + c, 0.5))
    return 1 - seen / 2 if b == c else mcnemar_exact(b, c) - seen


def newcombe(pairs: Paired, level: float = 0.95) -> Interval:
    """Newcombe's method 10 for (c - b) / n: square-and-add Wilson limits, phi corrected for continuity.

    Statistics in Medicine 17:2635 (1998). phi falls to 0 where a margin is empty.
    """
    a, b, c, d, n = pairs.a, pairs.b, pairs.c, pairs.d, pairs.n
    p1, p2 = (a + c) / n, (a + b) / n  # perturbed, original
    (l1, u1), (l2, u2) = wilson(a + c, n, level), wilson(a + b, n, level)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    numerator = a * d - b * c
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    phi = numerator / sqrt(margins) if margins > 0 else 0.0
    delta = p1 - p2
    below = (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2
    above = (p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2
    return delta - sqrt(max(below, 0.0)), delta + sqrt(max(above, 0.0))
