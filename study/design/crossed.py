"""Power of readers x patches x sets, by simulation with given variance components.

Reader j answers patch i in arm a and set s correctly when

    z_a + R_j + RA_ja + P_i + PA_ia + RP_ji > e_jias,     e ~ N(0, 1),

all effects normal with the standard deviations of :class:`Components` (probit scale, the unit being the reader's own
wavering from one reading to the next), and z_a such that the fraction correct over readers and patches is the one asked
for. A single reader is taken as the reader of interest: the fractions are that reader's own, R and RA fall away.

Where patches come from slides (groups), a share ``icc`` of the variances of P and PA lies between the slides: patches
of one slide are then alike in how hard they are and in what a perturbation does to them.

Each simulated study is judged by ``statistics.rule``, by which ``statistics.primary`` judges a real one.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from study.statistics.rule import different, judge, over_slides
from study.statistics.units import FEWEST_GROUPS

CHUNK = 4_000_000
"""Answers simulated at a time, to keep memory flat."""


@dataclass(frozen=True)
class Components:
    """Standard deviations on the probit scale. These are guesses until a study has measured them: vary them."""

    patch: float = 0.6
    """P: some patches are harder than others, in both arms and all sets."""
    patch_arm: float = 0.2
    """PA: a perturbation changes some patches more than others."""
    reader: float = 0.2
    """R: readers differ in skill."""
    reader_arm: float = 0.1
    """RA: perturbations affect some readers more than others."""
    reader_patch: float = 0.2
    """RP: readers find different patches hard."""

    def total(self, readers: int) -> float:
        """Standard deviation of the liability, wavering included."""
        variance = 1 + self.patch**2 + self.patch_arm**2 + self.reader_patch**2
        return float(np.sqrt(variance + (self.reader**2 + self.reader_arm**2 if readers > 1 else 0.0)))

    def correlation(self) -> float:
        """Of one reader's two answers to one patch, original and perturbed."""
        return float((self.patch**2 + self.reader_patch**2) / self.total(1) ** 2)


@dataclass(frozen=True)
class Claims:
    """Shares of the simulated studies, and the number of studies."""

    different: float
    non_inferior: float
    equivalent: float
    studies: int

    def error(self, share: float) -> float:
        """Monte Carlo standard error of a share."""
        return float(np.sqrt(share * (1 - share) / self.studies))


class SimulatedStudies:
    """Answers of many simulated studies; the first n patches of each are a study of n patches."""

    def __init__(
        self,
        *,
        patches: int,
        readers: int,
        sets: int,
        tpf: float,
        difference: float,
        components: Components,
        studies: int,
        seed: int,
        groups: int | None = None,
        icc: float = 0.0,
    ) -> None:
        """``correct``: booleans (studies, 2 arms, readers, patches, sets).

        With ``groups`` slides patch i lies on slide i modulo their number, so that fewer patches are spread as evenly.
        """
        rng = np.random.Generator(np.random.PCG64(seed))
        self.readers, self.sets = readers, sets
        self.unit = None if groups is None else np.arange(patches) % groups
        z = stats.norm.ppf([tpf, tpf + difference]) * components.total(readers)
        self.correct = np.empty((studies, 2, readers, patches, sets), dtype=bool)
        step = max(1, CHUNK // self.correct[0].size)
        for first in range(0, studies, step):
            part = self.correct[first : first + step]
            m = len(part)

            def effect(sd: float, *shape: int, m: int = m) -> np.ndarray:
                return np.float32(sd) * rng.standard_normal((m, *shape), dtype=np.float32)

            def of_patches(sd: float, arms: int) -> np.ndarray:
                if groups is None or icc == 0:
                    return effect(sd, arms, 1, patches)
                shared = effect(sd * icc**0.5, arms, 1, groups)[..., self.unit]
                return shared + effect(sd * (1 - icc) ** 0.5, arms, 1, patches)

            liability = np.asarray(z, np.float32)[None, :, None, None] + of_patches(components.patch, 1)
            liability = liability + of_patches(components.patch_arm, 2)
            liability = liability + effect(components.reader_patch, 1, readers, patches)
            if readers > 1:
                liability = liability + effect(components.reader, 1, readers, 1)
                liability = liability + effect(components.reader_arm, 2, readers, 1)
            part[:] = liability[..., None] > rng.standard_normal(part.shape, dtype=np.float32)

    def claims(self, patches: int, *, margin: float, alpha: float) -> Claims:
        """What the studies would have claimed with their first ``patches`` patches."""
        unit = None if self.unit is None else self.unit[:patches]
        found, above, both = judge_studies(self.correct[:, :, :, :patches], unit, margin, alpha)
        return Claims(float(found.mean()), float(above.mean()), float(both.mean()), len(self.correct))


Verdicts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Per study: a difference found; interval above -margin; interval within the margin on both sides."""


def judge_studies(correct: np.ndarray, unit: np.ndarray | None, margin: float, alpha: float) -> Verdicts:
    """``correct`` (studies, 2, readers, patches, sets), judged as ``primary`` judges one; ``unit`` (patches,)."""
    readers, patches = correct.shape[2:4]
    units = patches if unit is None else len(np.unique(unit))
    if unit is not None and units < FEWEST_GROUPS:
        return (np.zeros(len(correct), dtype=bool),) * 3  # no verdict is given over so few slides
    judged = judge(correct.mean(axis=4), unit)
    steps = _steps(correct, unit)
    if readers == 1:
        found = _sign_flips(steps, 2 * alpha) & different(over_slides(judged.margin.units), alpha)
    else:
        found = np.asarray(different(judged.p, alpha))
        still = np.asarray(judged.readers.random_both.se) == 0  # type: ignore[union-attr]
        if still.any():
            slides = np.asarray(different(over_slides(judged.margin.units), alpha))
            found[still] = _sign_flips(steps[still], 2 * alpha) & slides[still]
    rule = judged.margin
    above = rule.above(-margin, alpha)
    return found, above, above & rule.below(margin, alpha)


def _steps(correct: np.ndarray, unit: np.ndarray | None) -> np.ndarray:
    """Gained less lost answers by unit, whole numbers (studies, units)."""
    steps = (correct[:, 1].astype(int) - correct[:, 0]).sum(axis=(1, 3))
    return steps if unit is None else steps @ np.eye(int(unit.max()) + 1, dtype=int)[unit]


def _sign_flips(d: np.ndarray, level: float) -> np.ndarray:
    """Whether the exact sign-flip p of each row of whole numbers ``d`` (studies, patches) is at most ``level``."""
    largest = max(int(np.abs(d).max(initial=0)), 1)
    sizes = np.stack([(np.abs(d) == size).sum(axis=1) for size in range(1, largest + 1)], axis=1)
    critical = np.array([_critical_sum(tuple(row), level) for row in sizes.tolist()])
    return np.abs(d.sum(axis=1)) >= critical


@lru_cache(maxsize=50_000)
def _critical_sum(counts: tuple[int, ...], level: float) -> int:
    """The smallest |sum| of ``counts[k - 1]`` steps of size k with random signs whose p is at most ``level``."""
    pmf = np.ones(1)
    for size, count in enumerate(counts, start=1):
        if count:
            steps = np.zeros(2 * size * count + 1)
            steps[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
            pmf = np.convolve(pmf, steps)
    reach = len(pmf) // 2
    upper = 2 * np.cumsum(pmf[: reach - 1 : -1] if reach else pmf)  # P(|sum| >= reach), P(|sum| >= reach - 1), ...
    within = int((upper[:reach] <= level * (1 + 1e-12)).sum())
    return reach - within + 1
