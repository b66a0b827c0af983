"""Several readers: Obuchowski & Rockette's analysis with Hillis' degrees of freedom, over patches or over slides.

The accuracy is the TPF (or the true negative fraction) of reader j in arm i, theta_ij: the mean over the patches that
the reader answered in that arm of the patch's score, itself the mean over sets. Arms are fixed; readers and units are
random, or one of them is held fixed and then the result speaks only of these readers or these patches. The unit is the
patch, or the slide (group) on which several patches lie. Obuchowski & Rockette 1995; Hillis 2007 (Statistics in
Medicine 26:596); Hillis 2014 for the covariances; the jackknife that leaves out whole units: Obuchowski 1997
(Biometrics 53:567).

Scores may have leading axes, one study each: the planner judges a thousand studies by the same code.
"""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from scipy import stats

from core.proportions import Interval
from study.statistics import unequal

DUST = 1e-18
"""Variances below this are rounding left over from means of equal numbers."""
Value = Any
"""A float for one study, an array for many."""


@dataclass(frozen=True)
class Estimate:
    """A difference with its standard error and t distribution (df may be infinite: normal)."""

    delta: Value
    se: Value
    df: Value

    @property
    def t(self) -> Value:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.se > 0, np.divide(self.delta, self.se), np.copysign(inf, self.delta))
        return _plain(np.where((self.se > 0) | (np.asarray(self.delta) != 0), ratio, 0.0))

    @property
    def p(self) -> Value:
        """Two-sided."""
        return _plain(2 * stats.t.sf(np.abs(self.t), self.df))

    def half(self, level: float = 0.95) -> Value:
        """Half the interval's width."""
        return _plain(stats.t.ppf((1 + level) / 2, self.df) * self.se)

    def interval(self, level: float = 0.95) -> Interval:
        """Not cut at -1 and 1."""
        half = self.half(level)
        return self.delta - half, self.delta + half


def _plain(value: Any) -> Value:
    return float(value) if np.ndim(value) == 0 else value


@dataclass(frozen=True)
class ObuchowskiRockette:
    """The three analyses, the mean squares and what they are made of."""

    random_both: Estimate
    fixed_readers: Estimate
    fixed_patches: Estimate
    theta: np.ndarray
    """(..., 2, readers): original, perturbed."""
    ms_t: Value
    ms_r: Value
    ms_tr: Value
    var: Value
    cov1: Value
    cov2: Value
    cov3: Value

    @property
    def components(self) -> dict[str, float]:
        """Variance components; negative estimates are shown as they come."""
        kept = np.maximum(self.cov2 - self.cov3, 0.0)
        return {
            "reader": (self.ms_r - self.ms_tr) / 2 - self.cov1 + self.cov3,
            "arm_by_reader": self.ms_tr - self.var + self.cov1 + kept,
            "error": self.var,
            "cov1": self.cov1,
            "cov2": self.cov2,
            "cov3": self.cov3,
        }

    @property
    def reader_variance(self) -> Value:
        """What the sampling of readers adds to the variance of the change, estimated on the safe side; not below zero.

        (2 / r) (MS(TR) - k (Var - Cov1 - max(Cov2 - Cov3, 0))). With k = 1 this is the arm-by-reader variance; few
        readers estimate it as zero about every second time. So of fewer than five readers only a part of the noise is
        taken off, k = (r - 1) / 4.
        """
        r = self.theta.shape[-1]
        noise = self.var - self.cov1 - np.maximum(self.cov2 - self.cov3, 0.0)
        return 2 / r * np.maximum(self.ms_tr - min(1.0, (r - 1) / 4) * noise, 0.0)


@dataclass(frozen=True)
class Answers:
    """Scores by unit: ``total`` and ``count`` of the patches' scores (..., 2, readers, units)."""

    total: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, unit: np.ndarray | None = None) -> "Answers":
        """From ``scores`` (..., 2, readers, patches), NaN where there is none; ``unit`` (patches,) numbers them."""
        scores = np.asarray(scores, float)
        have = ~np.isnan(scores)
        if unit is None:
            return cls(np.where(have, scores, 0.0), have.astype(float))
        belongs = np.eye(int(unit.max()) + 1)[unit]  # (patches, units)
        return cls(np.where(have, scores, 0.0) @ belongs, have.astype(float) @ belongs)

    @property
    def theta(self) -> np.ndarray:
        """(..., 2, readers)."""
        return self.total.sum(axis=-1) / self.count.sum(axis=-1)

    def without_each(self) -> np.ndarray:
        """theta without unit k (..., 2, readers, units)."""
        total, count = self.total.sum(axis=-1, keepdims=True), self.count.sum(axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = (total - self.total) / (count - self.count)
        return np.where(count > self.count, left, self.theta[..., None])


def obuchowski_rockette(scores: np.ndarray, unit: np.ndarray | None = None) -> ObuchowskiRockette:
    """Analyse ``scores`` (2 arms, r readers, n patches), each the mean over sets; NaN where there is no answer.

    Covariances of the theta_ij come from the jackknife over units, which for complete data and one patch per unit is
    the sample covariance over n. Every answer counts, also of a patch that a reader answered in one arm only.

        F = MS(T) / (MS(TR) + r max(Cov2 - Cov3, 0)),  df2 = (MS(TR) + r max(...))^2 / (MS(TR)^2 / (r - 1))

    ``unit`` (n,) numbers the unit of each patch, 0, 1, ...; None: each patch is one. Raises ValueError for fewer than
    two readers, or for a reader without two units in an arm.
    """
    answers = Answers.of(scores, unit)
    r = answers.total.shape[-2]
    if r < 2 or ((answers.count > 0).sum(axis=-1) < 2).any():
        raise ValueError("needs at least two readers with two patches (or slides) each")
    theta = answers.theta
    left = answers.without_each()
    var, cov1, cov2, cov3 = _covariances(left)

    arm, reader = theta.mean(axis=-1, keepdims=True), theta.mean(axis=-2, keepdims=True)
    grand = theta.mean(axis=(-2, -1), keepdims=True)
    ms_t = r * ((arm - grand) ** 2).sum(axis=(-2, -1))
    ms_r = 2 * ((reader - grand) ** 2).sum(axis=(-2, -1)) / (r - 1)
    ms_tr = ((theta - arm - reader + grand) ** 2).sum(axis=(-2, -1)) / (r - 1)
    delta = (theta[..., 1, :] - theta[..., 0, :]).mean(axis=-1)

    error = ms_tr + r * np.maximum(cov2 - cov3, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(ms_tr > DUST, error**2 / (ms_tr**2 / (r - 1)), inf)
    df_over_units = unequal.of_jackknife(answers.count.mean(axis=(-3, -2)))
    return ObuchowskiRockette(
        random_both=_estimate(delta, 2 / r * _clean(error), df),
        fixed_readers=_estimate(delta, _clean(_over_units(left)), df_over_units),
        fixed_patches=_estimate(delta, 2 / r * _clean(ms_tr), np.broadcast_to(r - 1.0, delta.shape)),
        theta=theta,
        ms_t=_plain(ms_t),
        ms_r=_plain(ms_r),
        ms_tr=_plain(ms_tr),
        var=_plain(var),
        cov1=_plain(cov1),
        cov2=_plain(cov2),
        cov3=_plain(cov3),
    )


def _estimate(delta: np.ndarray, variance: np.ndarray, df: np.ndarray) -> Estimate:
    return Estimate(_plain(delta), _plain(np.sqrt(variance)), _plain(df))


def _clean(value: np.ndarray) -> np.ndarray:
    return np.where(value > DUST, value, 0.0)


def _covariances(left: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Var, Cov1 (same reader, other arm), Cov2 (other reader, same arm), Cov3 (both other), averaged."""
    r, g = left.shape[-2:]
    e = (left - left.mean(axis=-1, keepdims=True)) * np.sqrt((g - 1) / g)
    over = e.sum(axis=-2)  # sums over readers give the sums over pairs: sum_jk x_j x_k - sum_j x_j^2
    own, both = (e**2).sum(axis=(-3, -2, -1)), (e[..., 0, :, :] * e[..., 1, :, :]).sum(axis=(-2, -1))
    others = r * (r - 1)
    return (
        own / (2 * r),
        both / r,
        ((over**2).sum(axis=(-2, -1)) - own) / (2 * others),
        ((over[..., 0, :] * over[..., 1, :]).sum(axis=-1) - both) / others,
    )


def _over_units(left: np.ndarray) -> np.ndarray:
    """These readers, units random: the jackknife variance of the readers' mean difference.

    For complete data and one patch per unit exactly that of the paired t test over patches. Var - Cov1 +
    (r - 1)(Cov2 - Cov3) is the same number; no part of it needs cutting at zero, since it is a variance as a whole.
    """
    g = left.shape[-1]
    difference = (left[..., 1, :, :] - left[..., 0, :, :]).mean(axis=-2)
    return (g - 1) / g * ((difference - difference.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
