"""Power of one reading of n patches, by exact enumeration: nothing here is simulated or approximated.

The reader sees every patch twice, original and perturbed. With ``tpf`` and ``tpf + difference`` the true positive
fractions and ``discordance`` the share of patches that are answered differently in the two arms,

    P(original only) = (discordance - difference) / 2,   P(perturbed only) = (discordance + difference) / 2,

and (b, c) of the 2x2 table is trinomial. Levels are one-sided ``alpha``; tests of a difference are two-sided at
``2 alpha``. Power is not monotone in n (exact tests jump), so the smallest n is the one from which it stays up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from scipy import special, stats

from core.errors import InvalidInput
from study.statistics.margin import root_of_counts

PowerOf = Callable[[int], float]
LARGEST_N = 2000


@dataclass(frozen=True)
class Discordance:
    """Probabilities of the two discordant cells, original only (b) and perturbed only (c)."""

    original_only: float
    perturbed_only: float

    @classmethod
    def of(cls, *, tpf: float, difference: float, discordance: float) -> "Discordance":
        """From the marginals. Raises InvalidInput if no 2x2 table of probabilities has them."""
        other = tpf + difference
        if not (0 <= tpf <= 1 and -1e-12 <= other <= 1 + 1e-12):
            raise InvalidInput(
                f"a fraction of {tpf:g} changed by {difference:+g} is not between 0 and 1; choose a smaller change.",
                field="difference",
            )
        low, high = abs(difference), min(tpf + other, 2 - tpf - other)
        if not low - 1e-12 <= discordance <= high + 1e-12:
            raise InvalidInput(
                f"{discordance:g} is impossible with fractions {tpf:g} and {other:g}; it lies between "
                f"{low:g} and {high:g}.",
                field="discordance",
            )
        return cls(max((discordance - difference) / 2, 0.0), max((discordance + difference) / 2, 0.0))


def correlated(tpf: float, difference: float, correlation: float) -> Discordance:
    """Discordance of two answers to one patch whose normal liabilities have ``correlation`` >= 0 (probit model).

    P(both correct) = integral over t ~ N(0, 1) of the product of Phi((z_arm + sqrt(r) t) / sqrt(1 - r)), by
    Gauss-Hermite quadrature.
    """
    z = stats.norm.ppf([tpf, tpf + difference])
    if correlation >= 1 - 1e-9:
        both = min(tpf, tpf + difference)
    else:
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        shifted = (z[:, None] + sqrt(correlation) * nodes) / sqrt(1 - correlation)
        both = float(weights @ stats.norm.cdf(shifted).prod(axis=0) / weights.sum())
    return Discordance(tpf - both, tpf + difference - both)


@lru_cache(maxsize=32)
def mcnemar_limits(alpha: float, *, midp: bool = False) -> np.ndarray:
    """(LARGEST_N + 1,): for each number D of discordant pairs the largest significant min(b, c); -1 where none is.

    Significant: the two-sided p of ``paired.mcnemar_exact`` (or ``mcnemar_midp``) is at most ``2 alpha``.
    """
    pairs = np.arange(LARGEST_N + 1)
    start = stats.binom.ppf(alpha, pairs, 0.5)
    limits = np.full(len(pairs), -1)
    for candidate in (start - 1, start, start + 1):
        half = stats.binom.cdf(candidate, pairs, 0.5) - (stats.binom.pmf(candidate, pairs, 0.5) / 2 if midp else 0)
        fits = (candidate >= 0) & (2 * candidate < pairs) & (half <= alpha)
        limits = np.where(fits, np.maximum(limits, candidate), limits).astype(int)
    return limits


def mcnemar_power(n: int, cells: Discordance, alpha: float, *, midp: bool = False) -> float:
    """P(McNemar's test rejects): summed over D ~ Bin(n, discordance) and b given D; n at most LARGEST_N."""
    total = cells.original_only + cells.perturbed_only
    if total <= 0:
        return 0.0
    limits = mcnemar_limits(alpha, midp=midp)[: n + 1]
    pairs = np.flatnonzero(limits >= 0)
    limits, share = limits[pairs], cells.original_only / total
    rejects = special.bdtr(limits, pairs, share) + special.bdtr(limits, pairs, 1 - share)
    return float(stats.binom.pmf(pairs, n, min(total, 1.0)) @ rejects)


def _tables(n: int, cells: Discordance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All (b, c) with their trinomial probabilities, flat; without those beyond 7 SD + 10, under 1e-10 together."""
    axes = []
    for p in (cells.original_only, cells.perturbed_only):
        reach = 7 * sqrt(n * p * (1 - p)) + 10
        axes.append(np.arange(max(int(n * p - reach), 0), min(int(n * p + reach), n) + 1))
    b, c = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    b, c = b[b + c <= n], c[b + c <= n]
    rest = max(1 - cells.original_only - cells.perturbed_only, 0.0)
    log = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(c + 1) - special.gammaln(n - b - c + 1)
    log += special.xlogy(b, cells.original_only) + special.xlogy(c, cells.perturbed_only)
    return b, c, np.exp(log + special.xlogy(n - b - c, rest))


def margin_power(n: int, cells: Discordance, margin: float, alpha: float, *, two_sided: bool) -> float:
    """P(the verdict's interval of level 1 - 2 alpha lies above -margin; with ``two_sided`` also below +margin).

    Non-inferiority and equivalence by ``statistics.margin``, as ``statistics.verdict`` gives them for one reading.
    """
    b, c, probability = _tables(n, cells)
    critical = stats.t.isf(alpha, n + 1)
    claimed = root_of_counts(b, c, n, -margin) > critical
    if two_sided:
        claimed &= root_of_counts(b, c, n, margin) < -critical
    return float(probability[claimed].sum())


def smallest_n(power_of: PowerOf, target: float, *, start: int = 4, limit: int = LARGEST_N) -> int | None:
    """The smallest n from which power stays at or above ``target``; ``None`` if none up to ``limit`` does.

    Goes up in steps of 15 % until three running values hold the target, which a saw-tooth does not fake, then back one
    by one to the last n that misses it.
    """
    known: dict[int, float] = {}

    def reaches(n: int) -> bool:
        if n not in known:
            known[n] = power_of(n)
        return known[n] >= target

    n, holding = start, 0
    while n <= limit:
        holding = holding + 1 if reaches(n) else 0
        if holding == 3:
            break
        n = max(n + 1, ceil(1.15 * n))
    else:
        return None
    while n > start and reaches(n - 1):
        n -= 1
    return n
