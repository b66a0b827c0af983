"""One reader, several sets: pairs of the same patch are not independent, the patch is the unit.

Per patch i: d_i is the mean over its sets of correct(perturbed) - correct(original). Over everything: n patches,
N pairs, m = N / n.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from core.proportions import Interval, tango
from study.statistics.paired import Paired

ENUMERATE_UP_TO = 20  # non-zero differences; 2^20 sign patterns
MONTE_CARLO_DRAWS = 200_000


@dataclass(frozen=True)
class Clusters:
    """Pairs counted per patch: a, b, c, d as in :class:`~study.statistics.paired.Paired`, arrays (n,) of integers."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray

    @classmethod
    def count(cls, original: np.ndarray, perturbed: np.ndarray, patch: np.ndarray) -> "Clusters":
        """From pairs: correctness (N,) in both arms and the patch (N,) each pair belongs to."""
        _, index = np.unique(patch, return_inverse=True)
        o, p = np.asarray(original, bool), np.asarray(perturbed, bool)
        cells = (o & p, o & ~p, ~o & p, ~o & ~p)
        return cls(*(np.bincount(index, weights=cell, minlength=index.max() + 1).astype(int) for cell in cells))

    @property
    def pairs(self) -> np.ndarray:
        """Pairs per patch (n,)."""
        return self.a + self.b + self.c + self.d

    @property
    def pooled(self) -> Paired:
        return Paired(int(self.a.sum()), int(self.b.sum()), int(self.c.sum()), int(self.d.sum()))

    @property
    def differences(self) -> np.ndarray:
        """d_i (n,)."""
        return (self.c - self.b) / self.pairs


def _exact(number: int) -> str:
    """As papers write it: 2⁴ and not 2^4."""
    return f"exact over 2{str(number).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))} sign patterns"


@dataclass(frozen=True)
class SignFlip:
    """``p`` of the two-sided sign-flip test; ``error`` is its Monte Carlo standard error, 0 when exact."""

    p: float
    patterns: str
    error: float = 0.0


def sign_flip(differences: np.ndarray, seed: int = 0) -> SignFlip:
    """P(|sum s_i d_i| >= |sum d_i|) over all 2^n sign patterns s.

    Zeros change nothing and are left out. Differences on a common lattice (fractions with small denominators, as
    means over sets always are) are summed exactly by convolution for any n; others are enumerated up to 2^20
    patterns and drawn from ``seed`` beyond, with the standard error of the drawing.
    """
    d = np.asarray(differences, float)
    d = d[np.abs(d) > 1e-12]
    if len(d) == 0:
        return SignFlip(1.0, "exact: no patch differs")
    steps = _lattice(d)
    if steps is not None:
        return SignFlip(_convolved(np.abs(steps), abs(int(steps.sum()))), _exact(len(d)))
    observed = abs(d.sum()) - 1e-12 * np.abs(d).sum()
    if len(d) <= ENUMERATE_UP_TO:
        sums = np.zeros(1)
        for value in d:
            sums = np.concatenate([sums + value, sums - value])
        return SignFlip(float(np.mean(np.abs(sums) >= observed)), _exact(len(d)))
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(0, MONTE_CARLO_DRAWS, 10_000):
        hits += int((np.abs(rng.choice((-1.0, 1.0), size=(10_000, len(d))) @ d) >= observed).sum())
    p = (hits + 1) / (MONTE_CARLO_DRAWS + 1)  # the pattern seen is one of them
    return SignFlip(p, f"{MONTE_CARLO_DRAWS} drawn of 2^{len(d)} patterns", sqrt(p * (1 - p) / MONTE_CARLO_DRAWS))


def _lattice(d: np.ndarray) -> np.ndarray | None:
    """Integers proportional to ``d``, or None when no denominator up to 2520 fits."""
    for scale in (1, 2, 3, 4, 5, 6, 8, 10, 12, 24, 60, 120, 840, 2520):
        steps = np.round(d * scale)
        if np.allclose(steps, d * scale, rtol=0, atol=1e-9):
            steps = steps.astype(int)
            return steps // np.gcd.reduce(np.abs(steps))
    return None


def _convolved(steps: np.ndarray, observed: int) -> float:
    reach = int(steps.sum())
    probability = np.zeros(2 * reach + 1)
    probability[reach] = 1.0
    for step in steps:
        shifted = np.zeros_like(probability)
        shifted[step:] += probability[:-step] / 2
        shifted[:-step] += probability[step:] / 2
        probability = shifted
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, probability[sums >= observed].sum()))


@dataclass(frozen=True)
class Effective:
    """The variance inflation of the pooled 2x2 table and the sample size it leaves."""

    vif: float
    n_eff: float
    pairs: Paired

    def tango(self, level: float = 0.95) -> Interval:
        """Tango's interval with b and c divided by VIF at N / VIF pairs."""
        return tango(self.pairs.b / self.vif, self.pairs.c / self.vif, self.n_eff, level)


def effective(clusters: Clusters) -> Effective:
    """VIF = min(max(se^2 / v, 1), m), or m when v = 0; n_eff = N / VIF.

    se = SD(d_i) / sqrt(n) is what the patches show, v = ((b + c) / N - ((c - b) / N)^2) / N what independent pairs
    would. Between N (pairs independent) and n (readings of a patch fully dependent).
    """
    pairs = clusters.pooled
    n, total = len(clusters.pairs), pairs.n
    m = total / n
    v = ((pairs.b + pairs.c) / total - pairs.delta**2) / total
    vif = m
    if v > 1e-15 and n > 1:
        squared_error = float(np.var(clusters.differences, ddof=1)) / n
        vif = min(max(squared_error / v, 1.0), m)
    return Effective(vif, total / vif, pairs)


def obuchowski(clusters: Clusters) -> tuple[float, float]:
    """Obuchowski's clustered McNemar statistic (Statistics in Medicine 17:1495, 1998) and its chi-square p.

    ((K - 1) / K) (sum(b_k - c_k))^2 / sum (b_k - c_k)^2 on 1 degree of freedom. (nan, 1) without any difference.
    """
    difference, k = clusters.b - clusters.c, len(clusters.b)
    return _chi_square(difference.sum() ** 2 * (k - 1) / k, float((difference**2).sum()))


def yang(clusters: Clusters) -> tuple[float, float]:
    """Yang, Sun & Hardin's modification (Biometrical Journal 52:638, 2010): variance averaged over null and not."""
    difference, k, sizes = clusters.b - clusters.c, len(clusters.b), clusters.pairs
    centred = difference - sizes * difference.sum() / sizes.sum()
    return _chi_square(difference.sum() ** 2 * (k - 1) / k, float((centred**2).sum() + (difference**2).sum()) / 2)


def _chi_square(numerator: float, denominator: float) -> tuple[float, float]:
    if denominator == 0:
        return float("nan"), 1.0
    statistic = float(numerator / denominator)
    return statistic, float(stats.chi2.sf(statistic, 1))
