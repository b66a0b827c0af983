"""Signal detection: loss of sight told from a shift of criterion, and whether alteration was noticed at all."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from study.statistics.paired import Interval, clopper_pearson


@dataclass(frozen=True)
class DPrime:
    """d' and criterion c of one observer; ``se`` of d' by Gourevitch & Galanter (1967)."""

    hits: int
    signals: int
    false_alarms: int
    noise: int
    d_prime: float
    criterion: float
    se: float

    def interval(self, level: float = 0.95) -> Interval:
        half = float(stats.norm.ppf((1 + level) / 2)) * self.se
        return self.d_prime - half, self.d_prime + half


def d_prime(hits: int, signals: int, false_alarms: int, noise: int) -> DPrime:
    """Log-linear correction (Hautus 1995): 0.5 added to each count, 1 to each total, whether needed or not."""
    h, f = (hits + 0.5) / (signals + 1), (false_alarms + 0.5) / (noise + 1)
    zh, zf = float(stats.norm.ppf(h)), float(stats.norm.ppf(f))
    variance = h * (1 - h) / ((signals + 1) * stats.norm.pdf(zh) ** 2)
    variance += f * (1 - f) / ((noise + 1) * stats.norm.pdf(zf) ** 2)
    return DPrime(hits, signals, false_alarms, noise, zh - zf, -(zh + zf) / 2, sqrt(float(variance)))


@dataclass(frozen=True)
class Mean:
    """Mean over readers with its t interval; the interval is None for one reader or without spread."""

    mean: float
    ci95: Interval | None
    readers: int
    p: float | None


def mean_t(values: np.ndarray, null: float = 0.0, bounds: Interval = (-np.inf, np.inf)) -> Mean:
    """Mean of one value per reader, its 95 % t interval (cut at ``bounds``) and the two-sided p against ``null``."""
    x = np.asarray(values, float)
    mean = float(x.mean())
    if len(x) < 2 or np.ptp(x) < 1e-12:
        return Mean(mean, None, len(x), None)
    se = float(x.std(ddof=1)) / sqrt(len(x))
    half = float(stats.t.ppf(0.975, len(x) - 1)) * se
    ci = max(mean - half, bounds[0]), min(mean + half, bounds[1])
    return Mean(mean, ci, len(x), float(2 * stats.t.sf(abs(mean - null) / se, len(x) - 1)))


@dataclass(frozen=True)
class ForcedChoice:
    """Two-interval forced choice of one reader: proportion correct, exact p against guessing, upper bound."""

    correct: int
    n: int
    proportion: float
    exact_p: float
    """One-sided: more often right than guessing."""
    ci95: Interval
    upper95: float
    """One-sided 95 % Clopper-Pearson upper bound: how well the reader may at most be doing."""
    d_prime: float
    """sqrt(2) z(proportion), log-linear."""


def forced_choice(correct: int, n: int) -> ForcedChoice:
    p = float(stats.binomtest(correct, n, 0.5, alternative="greater").pvalue)
    upper = clopper_pearson(correct, n, 0.90)[1]
    strength = sqrt(2) * float(stats.norm.ppf((correct + 0.5) / (n + 1)))
    return ForcedChoice(correct, n, correct / n, p, clopper_pearson(correct, n), upper, strength)


@dataclass(frozen=True)
class BangIndex:
    """Bang's blinding index of one arm: -1 all guess the opposite, 0 chance, 1 all know."""

    index: float
    se: float
    ci95: Interval | None
    """None where all guesses are alike: their variance is estimated as zero, and that is no knowledge."""
    correct: int
    wrong: int
    unsure: int


def bang(correct: int, wrong: int, unsure: int = 0) -> BangIndex:
    """Bang, Ni & Davis (Controlled Clinical Trials 25:143, 2004), 2x3 format.

    (correct - wrong) / n, with the multinomial variance (p_c (1 - p_c) + p_w (1 - p_w) + 2 p_c p_w) / n.
    """
    n = correct + wrong + unsure
    if n == 0:
        raise ValueError("no guesses")
    pc, pw = correct / n, wrong / n
    se = sqrt((pc * (1 - pc) + pw * (1 - pw) + 2 * pc * pw) / n)
    index, half = pc - pw, float(stats.norm.ppf(0.975)) * se
    ci = (max(-1.0, index - half), min(1.0, index + half)) if se > 0 else None
    return BangIndex(index, se, ci, correct, wrong, unsure)
