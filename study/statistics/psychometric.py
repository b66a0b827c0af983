"""Proportion correct against budget: at which budget do readers begin to be fooled, or to notice?"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from scipy import optimize, stats
from scipy.special import expit, gammaln

from core.proportions import Interval


@dataclass(frozen=True)
class Psychometric:
    """p(x) = guess + (1 - guess - lapse) F(slope (log x - log threshold)), F logistic.

    ``rising`` for pair comparison (from guessing 1/2 upwards); otherwise F falls, from 1 - lapse to ``guess``.
    ``threshold`` is the budget at which F = 1/2, in the budget's units; its interval is the profile likelihood's and
    None when it does not close within a factor of 100 of the budgets shown, or where ``reason`` says why.
    """

    threshold: float | None
    ci95: Interval | None
    slope: float | None
    lapse: float | None
    guess: float
    rising: bool
    log_likelihood: float
    budgets: tuple[float, ...]
    correct: tuple[int, ...]
    n: tuple[int, ...]
    reason: str | None = None


POOLED = (
    "Several readers pooled: an interval that counts their answers as one reader's covered the mean threshold in 40 to "
    "79 % of simulated studies where 95 % were due, because readers' thresholds differ. See the readers one by one."
)
LAPSES = (
    "The lapse rate came out at the limit of 0.1 that the fit allows. Readers who lapse more often than that move the "
    "threshold, and its interval would miss the truth more often than it says."
)


def psychometric(
    budget: np.ndarray, correct: np.ndarray, n: np.ndarray, *, guess: float, rising: bool, pooled: bool = False
) -> Psychometric:
    """Maximum likelihood fit to ``correct`` of ``n`` at each positive ``budget`` (all (k,), k >= 3).

    Lapse is held within 0 and 0.1 (Wichmann & Hill 2001: 0.06 is common; a free lapse swallows the threshold).
    ``pooled``: the answers are several readers' and get a curve without an interval. Raises ValueError for fewer than
    three budgets.
    """
    x, k, total = (np.asarray(v, float) for v in (budget, correct, n))
    if len(x) < 3 or (x <= 0).any():
        raise ValueError("needs three positive budgets or more")
    order = np.argsort(x)
    x, k, total = x[order], k[order], total[order]
    lx, sign = np.log(x), 1.0 if rising else -1.0
    constant = float((gammaln(total + 1) - gammaln(k + 1) - gammaln(total - k + 1)).sum())

    def negative(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus log likelihood and its gradient."""
        place, log_slope, lapse = parameters
        steep = sign * np.exp(log_slope)
        f = expit(steep * (lx - place))
        p = np.clip(guess + (1 - guess - lapse) * f, 1e-9, 1 - 1e-9)
        slope = (1 - guess - lapse) * f * (1 - f) * steep
        residual = k / p - (total - k) / (1 - p)
        gradient = np.array([-residual @ slope, residual @ (slope * (lx - place)), -residual @ f])
        return -float(constant + k @ np.log(p) + (total - k) @ np.log1p(-p)), -gradient

    reach = (lx[0] - log(100), lx[-1] + log(100))
    limits = [(log(0.2), log(20)), (0.0, 0.1)]

    def fit(place: float | None, starts: list[list[float]]) -> tuple[float, np.ndarray]:
        bounds = [reach if place is None else (place, place), *limits]
        found = [
            optimize.minimize(negative, [start[0] if place is None else place, *start[1:]], jac=True, bounds=bounds)
            for start in starts
        ]
        best = min(found, key=lambda one: one.fun)
        return float(best.fun), best.x

    least, at = fit(None, [[at, slope, 0.02] for at in np.linspace(lx[0], lx[-1], 3) for slope in (0.0, 1.5)])
    inside = reach[0] + 0.05 < at[0] < reach[1] - 0.05
    limit = least + stats.chi2.ppf(0.95, 1) / 2

    def above(place: float) -> float:
        return fit(place, [list(at), [place, 0.0, 0.02]])[0] - limit

    reason = POOLED if pooled else LAPSES if inside and at[2] > 0.1 - 1e-6 else None
    known = inside and reason is None
    low, high = ([_profile_end(above, at[0], edge) for edge in reach]) if known else (None, None)
    return Psychometric(
        threshold=exp(at[0]) if inside else None,
        ci95=(exp(low), exp(high)) if low is not None and high is not None else None,
        slope=exp(at[1]) if inside else None,
        lapse=float(at[2]) if inside else None,
        guess=guess,
        rising=rising,
        log_likelihood=-least,
        budgets=tuple(x.tolist()),
        correct=tuple(int(v) for v in k),
        n=tuple(int(v) for v in total),
        reason=reason,
    )


def _profile_end(above, best: float, edge: float) -> float | None:
    """Where the profile crosses its limit between the estimate and ``edge``; None where it never does."""
    if above(edge) < 0:
        return None
    return float(optimize.brentq(above, best, edge, xtol=1e-4))
