"""Signal detection: loss of sight told from a shift of criterion, and whether alteration was noticed at all."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from core.proportions import Interval, clopper_pearson, effective_number
from study.statistics.two_way import means, over_readers


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


def d_prime_and_criterion(hits, signals, false_alarms, noise):
    """Both, of numbers or of arrays of them. Log-linear (Hautus 1995): 0.5 added to each count, 1 to each total."""
    zh = stats.norm.ppf((hits + 0.5) / (signals + 1))
    zf = stats.norm.ppf((false_alarms + 0.5) / (noise + 1))
    return zh - zf, -(zh + zf) / 2


def d_prime(hits: int, signals: int, false_alarms: int, noise: int) -> DPrime:
    """One observer's, log-linear whether it is needed or not."""
    h, f = (hits + 0.5) / (signals + 1), (false_alarms + 0.5) / (noise + 1)
    zh, zf = float(stats.norm.ppf(h)), float(stats.norm.ppf(f))
    variance = h * (1 - h) / ((signals + 1) * stats.norm.pdf(zh) ** 2)
    variance += f * (1 - f) / ((noise + 1) * stats.norm.pdf(zf) ** 2)
    strength, criterion = d_prime_and_criterion(hits, signals, false_alarms, noise)
    return DPrime(hits, signals, false_alarms, noise, float(strength), float(criterion), sqrt(float(variance)))


@dataclass(frozen=True)
class ForcedChoice:
    """Two-interval forced choice of one reader: proportion correct, p against guessing, upper bound."""

    correct: int
    n: int
    proportion: float
    exact_p: float
    """One-sided: more often right than guessing."""
    ci95: Interval
    upper95: float
    """One-sided 95 % upper bound: how well the reader may at most be doing."""
    d_prime: float
    """sqrt(2) z(proportion), log-linear."""
    units: int = 0
    method: str = "exact binomial, Clopper-Pearson"


def forced_choice(correct: int, n: int) -> ForcedChoice:
    """``n`` comparisons that are independent: every pair shown once."""
    p = float(stats.binomtest(correct, n, 0.5, alternative="greater").pvalue)
    upper = clopper_pearson(correct, n, 0.90)[1]
    return ForcedChoice(
        correct, n, correct / n, p, clopper_pearson(correct, n), upper, float(choice_d_prime(correct, n)), n
    )


def choice_d_prime(correct, n):
    """d' of a two-interval forced choice, log-linear; counts may be arrays."""
    return sqrt(2) * stats.norm.ppf((correct + 0.5) / (n + 1))


def repeated_choice(right: np.ndarray, unit: np.ndarray) -> ForcedChoice:
    """One reader's comparisons (N,) of 0/1 and the pair (or slide) each belongs to.

    Who prefers one image of a pair for a reason of his own is right on it in every set, or wrong in every set: four
    answers, one piece of knowledge. The p is the one-sided sign-flip test over units, exact for that reader too; the
    interval is Korn & Graubard's (1998): Clopper-Pearson at the effective number of comparisons. With every pair shown
    once both are the exact binomial ones.
    """
    right = np.asarray(right, int)
    units, index = np.unique(np.asarray(unit).astype(str), return_inverse=True)
    size, hits = np.bincount(index), np.bincount(index, weights=right)
    n, correct, k = len(right), int(right.sum()), len(units)
    if k == n:
        return forced_choice(correct, n)
    effective, share = effective_number(hits, size), correct / n
    ci, upper = (clopper_pearson(share * effective, effective, level) for level in (0.95, 0.90))
    p = _more_often_right(np.round(2 * hits - size).astype(int))
    method = "sign-flip test over pairs, Clopper-Pearson at the effective number of comparisons"
    return ForcedChoice(correct, n, share, p, ci, upper[1], float(choice_d_prime(correct, n)), k, method)


def _more_often_right(steps: np.ndarray) -> float:
    """P(sum of s_i |steps_i| >= sum of steps) over all sign patterns s: what pure preference would do."""
    probability = np.ones(1)
    for step in np.abs(steps[steps != 0]):
        two = np.zeros(2 * step + 1)
        two[0] = two[-1] = 0.5
        probability = np.convolve(probability, two)
    middle = len(probability) // 2
    return float(min(1.0, probability[middle + steps.sum() :].sum()))


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
    """Bang, Ni & Davis (Controlled Clinical Trials 25:143, 2004), 2x3 format, one guess per person.

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


def bang_repeated(right: np.ndarray, reader: np.ndarray, unit: np.ndarray) -> BangIndex:
    """Bang's index of many guesses (N,) of 0/1 per reader: its mean over readers, readers and units random.

    Readers who say `altered` more readily than others differ as wholes, so that their guesses are no independent
    draws; the multinomial interval covered 50 to 71 % with five of them.
    """
    right = np.asarray(right, float)
    found = over_readers(means(2 * right - 1, reader, unit), bounds=(-1, 1))
    correct = int(right.sum())
    return BangIndex(found.mean, found.se or 0.0, found.ci95, correct, len(right) - correct, 0)
