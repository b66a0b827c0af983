"""The rule that a verdict goes by: one for the analysis of a study, for the planner and for the simulations."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.statistics import unequal
from study.statistics.margin import Margin, Units
from study.statistics.readers import DUST, Answers, ObuchowskiRockette, obuchowski_rockette

ROUNDING = 1e-12


@dataclass(frozen=True)
class Judged:
    """One study, or many: the claims against a margin, and the readers' analysis where there are several."""

    margin: Margin
    readers: ObuchowskiRockette | None

    @property
    def p(self) -> np.ndarray:
        """Of several readers: two-sided p of a difference, the larger of readers at random and these readers.

        The arm-by-reader variance can be estimated below zero; more cannot be known of readers in general than of
        these readers, so that the smaller p of the two is not believed. 1 where no error was seen at all.
        """
        assert self.readers is not None
        random, fixed = self.readers.random_both, self.readers.fixed_readers
        p = np.maximum(np.where(random.se > 0, random.p, 0.0), np.where(fixed.se > 0, fixed.p, 0.0))
        return np.where(random.se > 0, p, 1.0)


def judge(scores: np.ndarray, unit: np.ndarray | None = None) -> Judged:
    """Judge ``scores`` (..., 2 arms, readers, patches): means over sets, NaN where there is no answer.

    ``unit`` (patches,) numbers the slide of each patch; None: each patch is a unit of its own. The change of a single
    reader is judged over patches; of several, the arm-by-reader variance of Obuchowski and Rockette is added.
    """
    answers = Answers.of(scores, unit)
    units = _units(answers, scores, unit)
    r = answers.total.shape[-2]
    if r == 1:
        return Judged(Margin(units), None)
    model = obuchowski_rockette(scores, unit)
    return Judged(Margin(units, model.reader_variance, r - 1), model)


def _units(answers: Answers, scores: np.ndarray, unit: np.ndarray | None) -> Units:
    """The readers' mean difference by unit, so that the mean over patches is the estimate, whatever is missing.

    With every answer given a patch's difference is its mean over readers. Where some are missing each reader's arm is
    a mean over what was answered, and a patch has the difference by which it moves these means (its influence).
    """
    present = (~np.isnan(scores)).any(axis=(-3, -2)).astype(float)  # (..., patches)
    size = present if unit is None else present @ np.eye(int(unit.max()) + 1)[unit]
    theta = answers.theta[..., None]
    moved = (answers.total - answers.count * theta) / answers.count.sum(axis=-1, keepdims=True)
    difference = (moved[..., 1, :, :] - moved[..., 0, :, :]).mean(axis=-2)  # (..., units)
    delta = (theta[..., 1, :, :] - theta[..., 0, :, :]).mean(axis=-2)
    patches = size.sum(axis=-1, keepdims=True)
    return Units(patches * difference + delta * size, size)


def over_slides(units: Units) -> np.ndarray:
    """Two-sided p of the jackknife's t test over slides; 0 where every patch is a unit of its own.

    Of one reader a sign-flip test over slides keeps its rate while no slide outweighs the others. One that holds a
    third of the patches gives 9 % false differences at a nominal 5 %, since what is lost on a slide is skewed. So the
    larger p of the two is believed.
    """
    left = (units.patches * units.mean)[..., None] - units.total
    with np.errstate(divide="ignore", invalid="ignore"):
        left = left / (units.patches[..., None] - units.size)
        g = units.size.shape[-1]
        variance = (g - 1) / g * ((left - left.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        t = np.where(variance > DUST, units.mean / np.sqrt(variance), np.inf)
    several = units.size.max(axis=-1) > 1
    return np.where(several, 2 * stats.t.sf(np.abs(t), unequal.of_jackknife(units.size)), 0.0)


def different(p: np.ndarray | float, alpha: float) -> np.ndarray | bool:
    """Whether a two-sided ``p`` finds a difference at the one-sided level ``alpha``."""
    return p <= 2 * alpha + ROUNDING
