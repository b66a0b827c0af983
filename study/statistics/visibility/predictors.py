"""What predicts seeing? Each measure of a change stands for its size once; the best one foretells answers best.

For each measure a psychometric function (readers' thresholds, one slope, one lapse rate) is fitted to the answers on
four fifths of the patches and foretells those on the other fifth. The gain is in bits per answer over guessing. Two
measures are compared patch by patch, so that the interval of their difference takes patches (or slides) as drawn.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats
from scipy.special import expit

from core.proportions import Interval
from study.statistics.units import unit_of

FOLDS = 5
FEWEST_UNITS = 10


@dataclass(frozen=True)
class Predictor:
    """One measure's rank; ``behind`` is how many bits per answer it lies behind the best."""

    measure: str
    bits: float
    behind: float
    behind_ci95: Interval | None
    answers: int


def ranked(table: pd.DataFrame, measures: tuple[str, ...]) -> list[Predictor]:
    """The best first, from answers to pairs whose change was measured by all of ``measures``. Empty for fewer than ten
    patches or slides, or fewer than two measures."""
    there = [name for name in measures if name in table and (table[name] > 0).any()]
    rows = table[table["correct"].notna()]
    rows = rows[(rows[there] > 0).all(axis=1)] if there else rows.head(0)
    names, unit = np.unique(unit_of(rows), return_inverse=True)
    if len(there) < 2 or len(names) < FEWEST_UNITS:
        return []
    _, reader = np.unique(rows["reader_id"].astype(str), return_inverse=True)
    right = rows["correct"].to_numpy(float)
    fold = np.random.default_rng(0).permutation(len(names)) % FOLDS
    gained = {name: _foretold(np.log(rows[name].to_numpy(float)), right, reader, fold[unit]) for name in there}
    by_unit = {name: np.bincount(unit, weights=gain) for name, gain in gained.items()}
    order = sorted(there, key=lambda name: -by_unit[name].sum())
    best, size = by_unit[order[0]], np.bincount(unit)
    return [
        Predictor(
            name,
            float(by_unit[name].sum() / len(rows)),
            *_behind(best - by_unit[name], size, name == order[0]),
            len(rows),
        )
        for name in order
    ]


def _behind(lost: np.ndarray, size: np.ndarray, is_best: bool) -> tuple[float, Interval | None]:
    """Mean loss per answer with its interval over units, by the linearised ratio."""
    mean = float(lost.sum() / size.sum())
    if is_best:
        return 0.0, None
    units = len(size)
    error = np.sqrt(units / (units - 1) * ((lost - mean * size) ** 2).sum()) / size.sum()
    half = float(stats.t.ppf(0.975, units - 1) * error)
    return mean, (mean - half, mean + half)


def _foretold(x: np.ndarray, right: np.ndarray, reader: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Bits gained over guessing on each answer, its patch left out of the fit."""
    bits = np.zeros(len(x))
    for number in range(FOLDS):
        out = fold == number
        p = _right(_fitted(x[~out], right[~out], reader[~out], int(reader.max()) + 1), x[out], reader[out])[0]
        bits[out] = 1 + np.log2(np.where(right[out] > 0, p, 1 - p))
    return bits


def _right(at: np.ndarray, x: np.ndarray, reader: np.ndarray):
    """P(right) and what its slope needs; parameters: thresholds, log slope, logit lapse."""
    slope, lapse = np.exp(at[-2]), 0.5 * expit(at[-1])
    eta = slope * (x - at[reader])
    f = expit(eta)
    return np.clip(0.5 + (0.5 - lapse) * f, 1e-6, 1 - 1e-6), f, eta, slope, lapse


def _fitted(x: np.ndarray, right: np.ndarray, reader: np.ndarray, readers: int) -> np.ndarray:
    """Penalised maximum likelihood; the priors hold what the answers hardly show."""
    middle = float(np.median(x))
    centre = np.r_[np.full(readers, middle), np.log(3.0), -2.2]
    sd = np.r_[np.full(readers, 2.0), 1.0, 1.0]

    def negative(at: np.ndarray) -> tuple[float, np.ndarray]:
        p, f, eta, slope, lapse = _right(at, x, reader)
        off = (at - centre) / sd
        residual = right / p - (1 - right) / (1 - p)
        steep = residual * (0.5 - lapse) * f * (1 - f)
        gradient = np.r_[
            np.bincount(reader, weights=-steep * slope, minlength=readers),
            (steep * eta).sum(),
            -(residual * f).sum() * lapse * (1 - 2 * lapse),
        ]
        value = (right * np.log(p) + (1 - right) * np.log1p(-p)).sum()
        return float((off**2).sum() / 2 - value), off / sd - gradient

    return optimize.minimize(negative, centre, jac=True, method="L-BFGS-B").x
