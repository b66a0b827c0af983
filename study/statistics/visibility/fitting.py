"""The most probable parameters of the model of thresholds, by Newton's steps with exact slopes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from study.statistics.visibility.model import Model, Nodes, Trials

MOST_STEPS, LONGEST, CLOSE = 60, 1.0, 1e-3
"""Of the search for the best parameters: steps, how far one may move any parameter, and where it ends."""


@dataclass(frozen=True)
class Fit:
    """The model at its best parameters, and what leaving out a patch does to them."""

    model: Model
    at: np.ndarray
    moved: np.ndarray
    """(patches, parameters): how far the parameters move when the patch is left out, by its score."""
    covariance: np.ndarray
    """(parameters, parameters), by the model alone."""
    converged: bool

    @property
    def mean(self) -> np.ndarray:
        """Log threshold per reader (R,), of the patch in the middle."""
        return self.model.parts(self.at)[0]

    @property
    def slope(self) -> np.ndarray:
        return np.exp(self.model.parts(self.at)[1])

    @property
    def lapse(self) -> np.ndarray:
        return self.model.parts(self.at)[2]

    @property
    def patch_sd(self) -> float:
        return float(np.exp(self.model.parts(self.at)[3]))


def derivative(of: Callable[[np.ndarray], np.ndarray], at: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Of ``of`` (...) with regard to the parameters, by central differences: (..., parameters)."""
    moves = step * np.eye(len(at))
    return np.stack([(of(at + move) - of(at - move)) / (2 * step) for move in moves], axis=-1)


def fit(trials: Trials, guess: float = 0.5) -> Fit:
    """The most probable parameters, readers' thresholds integrated out where it matters.

    The mode of everything lies at slopes far too steep when many readers' thresholds are free beside the slope. So half
    the logarithm of the information on each reader's mean is taken off (Laplace's approximation of the integral over
    it, in R packages for mixed models: REML). The nodes are aimed anew before each of Newton's steps.
    """
    model = Model(trials, guess)
    at, limits = model.prior_mean.copy(), _limits(model)
    for number in range(MOST_STEPS):
        nodes = model.aim(at)
        if number % 4 == 0:
            bend = model.bend(at, nodes)
        before, (at, wanted) = at, _step(model, at, nodes, limits, bend)
        if wanted < CLOSE or at is before:
            break
    nodes = model.aim(at)
    values, vectors = np.linalg.eigh(model.curvature(at) + model.bend(at, nodes))
    covariance = vectors / np.maximum(values, 0.2) @ vectors.T
    _, score = model.scores(at)
    return Fit(model, at, -score @ covariance, covariance, bool(wanted < 0.05))


def _step(model: Model, at: np.ndarray, nodes: Nodes, limits: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, float]:
    """One of Newton's steps within the limits, halved until the objective falls (else ``at`` itself), and how far the
    whole step would have gone. ``bend`` may be a few steps old."""
    state = model.weights(at)
    (value, slope), (more, steeper) = model.negative(at, state), model.information(at, nodes)
    value, slope = value + more, slope + steeper
    low, high = limits.T
    free = ~((at <= low) & (slope > 0) | (at >= high) & (slope < 0))
    values, vectors = np.linalg.eigh((model.curvature(at, state) + bend)[np.ix_(free, free)])
    # What curves the wrong way is followed downhill, no farther than a curvature of 1 would allow.
    values = np.where(values > 0.2, values, np.maximum(np.abs(values), 1.0))
    way = np.zeros(len(at))
    way[free] = -vectors @ (vectors.T @ slope[free] / values)
    way *= min(1.0, LONGEST / np.abs(way).max()) if way.any() else 1.0
    wanted = float(np.abs(np.clip(at + way, low, high) - at).max())
    for _ in range(8):
        there = np.clip(at + way, low, high)
        if _value(model, there, nodes) <= value + 1e-4 * slope @ (there - at) + 1e-9:
            return there, wanted
        way /= 2
    return at, wanted


def _value(model: Model, at: np.ndarray, nodes: Nodes) -> float:
    return -float(model.weights(at)[1].sum()) - model.prior(at)[0] + model.information(at, nodes)[0]


def _limits(model: Model) -> np.ndarray:
    """(parameters, 2)"""
    r = model.readers
    near, far = model.trials.log_level.min() - 4, model.trials.log_level.max() + 4
    return np.array([(near, far)] * r + [(-0.6, 0.6)] * r + [(-4.0, 4.0)] * r + [
        (np.log(0.7), np.log(12)), (logit(1e-4), logit(0.4)), (np.log(0.03), np.log(4)), (-3.0, 3.0)
    ])  # fmt: skip
