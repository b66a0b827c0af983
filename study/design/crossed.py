"""Power of readers x patches x sets, by simulation with given variance components.

Reader j answers patch i in arm a and set s correctly when

    z_a + R_j + RA_ja + P_i + PA_ia + RP_ji > e_jias,     e ~ N(0, 1),

all effects normal with the standard deviations of :class:`Components` (probit scale, the unit being the reader's own
wavering from one reading to the next), and z_a such that the fraction correct over readers and patches is the one asked
for. A single reader is taken as the reader of interest: the fractions are that reader's own, R and RA fall away.

Each simulated study is judged as ``statistics.primary`` judges a real one: one reader by Tango's interval at the
effective sample size and the sign-flip test, several by Obuchowski-Rockette. The judging is written for many studies at
once; the tests hold it against ``statistics.primary`` study by study.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from study.design.power import tango_score

CHUNK = 4_000_000
"""Answers simulated at a time, to keep memory flat."""
DUST = 1e-14
"""Variances below this are rounding left over from equal numbers; real ones are above 1e-9 in any study of ours."""


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
    ) -> None:
        """``correct``: booleans (studies, 2 arms, readers, patches, sets)."""
        rng = np.random.Generator(np.random.PCG64(seed))
        self.readers, self.sets = readers, sets
        z = stats.norm.ppf([tpf, tpf + difference]) * components.total(readers)
        self.correct = np.empty((studies, 2, readers, patches, sets), dtype=bool)
        step = max(1, CHUNK // self.correct[0].size)
        for first in range(0, studies, step):
            part = self.correct[first : first + step]
            m = len(part)

            def effect(sd: float, *shape: int, m: int = m) -> np.ndarray:
                return np.float32(sd) * rng.standard_normal((m, *shape), dtype=np.float32)

            liability = np.asarray(z, np.float32)[None, :, None, None] + effect(components.patch, 1, 1, patches)
            liability = liability + effect(components.patch_arm, 2, 1, patches)
            liability = liability + effect(components.reader_patch, 1, readers, patches)
            if readers > 1:
                liability = liability + effect(components.reader, 1, readers, 1)
                liability = liability + effect(components.reader_arm, 2, readers, 1)
            part[:] = liability[..., None] > rng.standard_normal(part.shape, dtype=np.float32)

    def claims(self, patches: int, *, margin: float, alpha: float) -> Claims:
        """What the studies would have claimed with their first ``patches`` patches."""
        correct = self.correct[:, :, :, :patches]
        different, non_inferior, equivalent = (
            judge_one_reader(correct[:, :, 0], margin, alpha)
            if self.readers == 1
            else judge_several_readers(correct, margin, alpha)
        )
        return Claims(float(different.mean()), float(non_inferior.mean()), float(equivalent.mean()), len(correct))


Verdicts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Per study: p at most 2 alpha; interval above -margin; interval within the margin on both sides."""


def judge_one_reader(correct: np.ndarray, margin: float, alpha: float) -> Verdicts:
    """``correct`` (studies, 2, patches, sets), as ``primary.one_reader`` does."""
    n, m = correct.shape[2:]
    pairs = n * m
    b, c, d = _discordant(correct)
    v = ((b + c) / pairs - ((c - b) / pairs) ** 2) / pairs
    with np.errstate(divide="ignore", invalid="ignore"):
        vif = np.clip(np.var(d / m, axis=1, ddof=1) / n / v, 1.0, m)
    vif = np.where(v > 1e-15, vif, m)
    return _sign_flips(d, m, 2 * alpha), *_tango_claims(b / vif, c / vif, pairs / vif, margin, alpha)


def judge_several_readers(correct: np.ndarray, margin: float, alpha: float) -> Verdicts:
    """``correct`` (studies, 2, readers, patches, sets), as ``primary.several_readers`` does."""
    r, n, sets = correct.shape[2:]
    x = correct.mean(axis=4)  # (studies, 2, readers, patches)
    theta = x.mean(axis=3)
    arm, reader = theta.mean(axis=2, keepdims=True), theta.mean(axis=1, keepdims=True)
    residual = theta - arm - reader + theta.mean(axis=(1, 2), keepdims=True)
    ms_tr = (residual**2).sum(axis=(1, 2)) / (r - 1)
    # Sums over pairs of readers from sums over readers: sum_jk x_j x_k - sum_j x_j^2.
    e = x - theta[..., None]
    over = e.sum(axis=2)  # (studies, 2, patches)
    others = r * (r - 1) * n * (n - 1)
    cov2 = ((over**2).sum(axis=(1, 2)) - (e**2).sum(axis=(1, 2, 3))) / 2 / others
    cov3 = ((over[:, 0] * over[:, 1]).sum(axis=1) - (e[:, 0] * e[:, 1]).sum(axis=(1, 2))) / others
    error = ms_tr + r * np.maximum(cov2 - cov3, 0.0)
    delta = (arm[:, 1] - arm[:, 0])[:, 0]

    random_se = np.sqrt(np.where(error > DUST, 2 * error / r, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(ms_tr > DUST, error**2 / (ms_tr**2 / (r - 1)), np.inf)
    fixed = (over[:, 1] - over[:, 0]) / r
    fixed_variance = (fixed**2).sum(axis=1) / (n * (n - 1))
    fixed_se = np.sqrt(np.where(fixed_variance > DUST, fixed_variance, 0.0))
    half = stats.t.ppf(1 - alpha, df) * random_se
    half = np.where(fixed_se > 0, np.maximum(half, stats.t.ppf(1 - alpha, n - 1) * fixed_se), half)

    different = np.abs(delta) >= half
    above, below = delta - half > -margin, delta + half < margin
    still = random_se == 0  # no error to be seen: Tango at one pair per patch
    if still.any():
        quiet = correct[still].transpose(0, 1, 3, 2, 4).reshape(int(still.sum()), 2, n, r * sets)
        b, c, d = _discordant(quiet)
        low, both = _tango_claims(b / (r * sets), c / (r * sets), np.full(len(b), float(n)), margin, alpha)
        different[still], above[still], below[still] = _sign_flips(d, r * sets, 2 * alpha), low, both
    return different, above, above & below


def _discordant(correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """b and c (studies,), and per patch c - b (studies, patches), from (studies, 2, patches, sets)."""
    original, perturbed = correct[:, 0], correct[:, 1]
    b, c = original & ~perturbed, ~original & perturbed
    return b.sum(axis=(1, 2)), c.sum(axis=(1, 2)), c.sum(axis=2) - b.sum(axis=2)


def _tango_claims(
    b: np.ndarray, c: np.ndarray, n: np.ndarray, margin: float, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    z = stats.norm.ppf(1 - alpha)
    above = tango_score(b, c, n, -margin) > z
    return above, above & (tango_score(b, c, n, margin) < -z)


def _sign_flips(d: np.ndarray, largest: int, level: float) -> np.ndarray:
    """Whether the exact sign-flip p of each row of whole numbers ``d`` (studies, patches) is at most ``level``."""
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
