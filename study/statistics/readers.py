"""Several readers, all patches: Obuchowski & Rockette's analysis with Hillis' degrees of freedom.

The accuracy is the TPF (or the true negative fraction) of reader j in arm i, theta_ij: the mean over patches of the
patch's score, itself the mean over sets. Arms are fixed; readers and patches are random, or one of them is held fixed
and then the result speaks only of these readers or these patches. Obuchowski & Rockette 1995; Hillis 2007
(Statistics in Medicine 26:596); Hillis 2014 for the covariances.
"""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy import stats

from study.statistics.paired import Interval


@dataclass(frozen=True)
class Estimate:
    """A difference with its standard error and t distribution (df may be infinite: normal)."""

    delta: float
    se: float
    df: float

    @property
    def t(self) -> float:
        if self.se > 0:
            return self.delta / self.se
        return 0.0 if self.delta == 0 else float(np.copysign(inf, self.delta))

    @property
    def p(self) -> float:
        """Two-sided."""
        return float(2 * stats.t.sf(abs(self.t), self.df))

    def interval(self, level: float = 0.95) -> Interval:
        """Not cut at -1 and 1."""
        half = float(stats.t.ppf((1 + level) / 2, self.df)) * self.se
        return self.delta - half, self.delta + half


@dataclass(frozen=True)
class ObuchowskiRockette:
    """The three analyses, the mean squares and what they are made of."""

    random_both: Estimate
    fixed_readers: Estimate
    fixed_patches: Estimate
    theta: np.ndarray
    """(2, readers): original, perturbed."""
    ms_t: float
    ms_r: float
    ms_tr: float
    var: float
    cov1: float
    cov2: float
    cov3: float

    @property
    def components(self) -> dict[str, float]:
        """Variance components; negative estimates are shown as they come."""
        kept = max(self.cov2 - self.cov3, 0.0)
        return {
            "reader": (self.ms_r - self.ms_tr) / 2 - self.cov1 + self.cov3,
            "arm_by_reader": self.ms_tr - self.var + self.cov1 + kept,
            "error": self.var,
            "cov1": self.cov1,
            "cov2": self.cov2,
            "cov3": self.cov3,
        }


def obuchowski_rockette(scores: np.ndarray) -> ObuchowskiRockette:
    """Analyse ``scores`` (2 arms, r readers, n patches), each the mean over sets; NaN where a reader lacks a patch.

    Covariances of the theta_ij come from the patches by the jackknife, which for complete data is the sample
    covariance over n. A reader with a missing patch keeps the patches read in both arms.

        F = MS(T) / (MS(TR) + r max(Cov2 - Cov3, 0)),  df2 = (MS(TR) + r max(...))^2 / (MS(TR)^2 / (r - 1))

    Raises ValueError for fewer than two readers or two patches.
    """
    x = np.array(scores, float)
    x[:, np.isnan(x).any(axis=0)] = np.nan
    _, r, n = x.shape
    have = ~np.isnan(x[0])  # (r, n)
    if r < 2 or n < 2 or (have.sum(axis=1) < 2).any():
        raise ValueError("needs at least two readers with two patches each")
    theta = np.nanmean(x, axis=2)  # (2, r)
    var, cov1, cov2, cov3 = _covariances(x, have, theta)

    arm, reader, grand = theta.mean(axis=1), theta.mean(axis=0), theta.mean()
    ms_t = r * float(((arm - grand) ** 2).sum())
    ms_r = 2 * float(((reader - grand) ** 2).sum()) / (r - 1)
    ms_tr = float(((theta - arm[:, None] - reader[None] + grand) ** 2).sum()) / (r - 1)
    delta = float(arm[1] - arm[0])

    kept = max(cov2 - cov3, 0.0)
    error = ms_tr + r * kept
    df = error**2 / (ms_tr**2 / (r - 1)) if ms_tr > 1e-18 else inf
    return ObuchowskiRockette(
        random_both=Estimate(delta, sqrt(2 / r * _clean(error)), df),
        fixed_readers=_over_patches(x, theta, have),
        fixed_patches=Estimate(delta, sqrt(2 / r * _clean(ms_tr)), r - 1),
        theta=theta,
        ms_t=ms_t,
        ms_r=ms_r,
        ms_tr=ms_tr,
        var=var,
        cov1=cov1,
        cov2=cov2,
        cov3=cov3,
    )


def _clean(value: float) -> float:
    """Rounding left over from means of equal numbers is not a variance."""
    return value if value > 1e-18 else 0.0


def _leave_one_out(x: np.ndarray, have: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """theta_ij without patch k (2, r, n); unchanged where reader j lacks patch k."""
    count = have.sum(axis=1)[None, :, None]
    filled = np.where(have[None], x, theta[:, :, None])
    return (count * theta[:, :, None] - filled) / (count - 1)


def _covariances(x: np.ndarray, have: np.ndarray, theta: np.ndarray) -> tuple[float, float, float, float]:
    """Var, Cov1 (same reader, other arm), Cov2 (other reader, same arm), Cov3 (both other), averaged."""
    _, r, n = x.shape
    left = _leave_one_out(x, have, theta).reshape(2 * r, n)
    left = left - left.mean(axis=1, keepdims=True)
    s = ((n - 1) / n * left @ left.T).reshape(2, r, 2, r)
    same_arm = (s[0, :, 0, :] + s[1, :, 1, :]) / 2
    other_arm = (s[0, :, 1, :] + s[1, :, 0, :]) / 2
    others = r * (r - 1)
    return (
        float(np.trace(same_arm) / r),
        float(np.trace(other_arm) / r),
        float((same_arm.sum() - np.trace(same_arm)) / others),
        float((other_arm.sum() - np.trace(other_arm)) / others),
    )


def _over_patches(x: np.ndarray, theta: np.ndarray, have: np.ndarray) -> Estimate:
    """These readers, patches random: the jackknife of the readers' mean difference on n - 1 degrees of freedom.

    For complete data exactly the paired t test of the patches' mean differences. Var - Cov1 + (r - 1)(Cov2 - Cov3) is
    the same number; no part of it needs cutting at zero here, since it is a variance as a whole.
    """
    n = x.shape[2]
    left = _leave_one_out(x, have, theta)
    mean_difference = (left[1] - left[0]).mean(axis=0)  # (n,)
    variance = (n - 1) / n * float(((mean_difference - mean_difference.mean()) ** 2).sum())
    delta = float((theta[1] - theta[0]).mean())
    return Estimate(delta, sqrt(_clean(variance)), n - 1)
