"""Simulated readers of ladders, whose thresholds are known: for the planner and the benchmark."""

from dataclasses import dataclass
from math import log

import numpy as np
from scipy.special import ndtr, xlogy

from study.design.adaptive import Prior

LEVELS = np.geomspace(0.7, 45, 8)
MIDDLE = 5.0
"""The threshold of the reader and patch in the middle, and the readers' slopes around ``SLOPE``, SD .2 of the log."""
SLOPE = 3.5
FLIP, FLIP_SD, TOGETHER = 2.5, 0.5, 0.3
"""The model's smallest flip: median, SD of the log, and its correlation with the patch's threshold."""


@dataclass(frozen=True)
class World:
    """What readers and patches are drawn from. SDs are of log thresholds."""

    reader_sd: float = 0.3
    patch_sd: float = 0.5
    lapse: float = 0.05
    both_sd: float = 0.0
    """Of what one reader has on one patch only; the fitted model does not know it."""
    middle: float = MIDDLE
    flip: float = FLIP
    flip_sd: float = FLIP_SD
    levels: tuple[float, ...] = tuple(LEVELS.tolist())

    def index(self) -> float:
        """The true share of (reader, patch) whose flip lies below the threshold."""
        variance = (
            self.reader_sd**2
            + self.patch_sd**2
            + self.both_sd**2
            + self.flip_sd**2
            - 2 * TOGETHER * self.patch_sd * self.flip_sd
        )
        return float(ndtr(log(self.middle / self.flip) / np.sqrt(variance)))


@dataclass(frozen=True)
class Readings:
    """Answers (N,) of one simulated study, and the truth behind them."""

    reader: np.ndarray
    patch: np.ndarray
    level: np.ndarray
    right: np.ndarray
    log_flip: np.ndarray
    log_threshold: np.ndarray
    """(R,), of the patch in the middle."""


def read(
    rng: np.random.Generator, world: World, readers: int, patches: int, trials: int | None, sets: int = 1
) -> Readings:
    """One study: every level of every patch once per set (``trials`` None), or so many adaptive trials of a reader."""
    levels = np.array(world.levels)
    own = log(world.middle) + world.reader_sd * rng.standard_normal(readers)
    common = rng.standard_normal(patches)
    patch_effect = world.patch_sd * common
    apart = TOGETHER * common + np.sqrt(1 - TOGETHER**2) * rng.standard_normal(patches)
    both = world.both_sd * rng.standard_normal((readers, patches))
    slope = SLOPE * np.exp(0.2 * rng.standard_normal(readers))
    threshold = own[:, None] + patch_effect + both

    def right_at(level: np.ndarray, reader: np.ndarray, patch: np.ndarray) -> np.ndarray:
        f = 1 / (1 + np.exp(-slope[reader] * (np.log(level) - threshold[reader, patch])))
        return rng.random(np.shape(f)) < 0.5 + (0.5 - world.lapse) * f

    if trials is None:
        indices = np.indices((readers, patches, len(levels)))
        reader, patch, at = (np.tile(axis.ravel(), sets) for axis in indices)
        level = levels[at]
        right = right_at(level, reader, patch)
    else:
        reader, patch, level, right = _adaptively(rng, levels, readers, patches, trials, right_at)
    return Readings(reader, patch, level, right, log(world.flip) + world.flip_sd * apart, own)


def _adaptively(rng: np.random.Generator, levels: np.ndarray, readers: int, patches: int, trials: int, right_at):
    """:class:`study.design.adaptive.Rule` for all readers at once: the same grid, the same choice."""
    grid = Grid(Prior.around(levels), levels)
    everyone = np.arange(readers)
    rounds = -(-trials // patches)
    order = np.stack([np.concatenate([rng.permutation(patches) for _ in range(rounds)])[:trials] for _ in everyone])
    shown, answers = [], []
    for trial in range(trials):
        at = grid.choose()
        right = right_at(levels[at], everyone, order[:, trial])
        grid.tell(at, right, readers)
        shown.append(np.broadcast_to(levels[at], readers))
        answers.append(right)
    return np.tile(everyone, trials), order.T.ravel(), np.concatenate(shown), np.concatenate(answers)


class Grid:
    """Posteriors of many readers over the rule's grid, as products of matrices."""

    def __init__(self, prior: Prior, levels: np.ndarray) -> None:
        place = np.linspace(log(prior.lowest), log(prior.highest), prior.thresholds)
        place, slope, lapse = (axis.ravel() for axis in np.meshgrid(place, prior.slopes, prior.lapses, indexing="ij"))
        weight = np.multiply.outer(prior.slope_weights, prior.lapse_weights).ravel()
        self._weight = np.tile(weight, prior.thresholds)[None, :] / (weight.sum() * prior.thresholds)
        f = 1 / (1 + np.exp(-np.clip(slope * (np.log(levels)[:, None] - place), -60, 60)))
        self._right = prior.guess + (1 - prior.guess - lapse) * f  # (levels, grid)
        self._places = prior.thresholds
        self._by_place = [  # (thresholds, slopes x lapses, levels)
            np.ascontiguousarray(p.reshape(len(levels), self._places, -1).transpose(1, 2, 0))
            for p in (self._right, 1 - self._right)
        ]

    def choose(self) -> np.ndarray:
        """The next level of every reader, as its number; (1,) before the first answer."""
        weight = self._weight.reshape(len(self._weight), self._places, -1).transpose(1, 0, 2)
        left = np.zeros((len(self._weight), len(self._right)))
        for p in self._by_place:
            joint = weight @ p  # (thresholds, readers, levels)
            total = joint.sum(axis=0)
            left += xlogy(total, total) - xlogy(joint, joint).sum(axis=0)
        return np.argmin(np.round(left, 9), axis=1)

    def tell(self, at: np.ndarray, right: np.ndarray, readers: int) -> None:
        p = self._right[np.broadcast_to(at, readers)]
        weight = self._weight * np.where(right[:, None], p, 1 - p)
        self._weight = weight / weight.sum(axis=1, keepdims=True)
