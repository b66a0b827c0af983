"""Two classifiers on the same images: differences with intervals that know that the images are the same.

Images of one slide or patient are alike. Where groups are known, a table of pairs is deflated to the number of
independent images that it is worth, and whole groups are drawn again in a bootstrap. No torch here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.proportions import tango, wilson

DRAWS = 2000
Values = NDArray[Any]


def design_effect(differences: Values, groups: Values | None) -> float:
    """How many times the variance of the mean difference exceeds that of independent images; 1 or more."""
    values = np.asarray(differences, float)
    if groups is None or len(np.unique(groups)) < 2 or np.ptp(values) == 0:
        return 1.0
    off = values - values.mean()
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=off)
    count, clusters = len(values), len(sums)
    between = float((sums**2).sum()) * clusters / (clusters - 1) / count**2
    return max(1.0, between / (float(off.var(ddof=1)) / count))


def shares(first: Values, second: Values, groups: Values | None = None) -> dict[str, Any]:
    """Two shares of the same images, bool (n,), and second - first: Tango's 95 % interval, deflated by group."""
    one, two = np.asarray(first, bool), np.asarray(second, bool)
    effect = design_effect(two.astype(float) - one, groups)
    size = len(one) / effect
    low, high = tango(float((one & ~two).sum()) / effect, float((~one & two).sum()) / effect, size)
    return {
        "first": float(one.mean()),
        "second": float(two.mean()),
        "first_low_high": wilson(one.sum() / effect, size),
        "second_low_high": wilson(two.sum() / effect, size),
        "difference": float(two.mean() - one.mean()),
        "low": low,
        "high": high,
        "n": len(one),
    }


Statistic = Callable[[NDArray[np.intp]], tuple[float, float]]
"""(rows drawn) -> the number for the first and for the second classifier."""


def bootstrapped(statistic: Statistic, count: int, groups: Values | None = None, *, seed: int = 0) -> dict[str, Any]:
    """Any two numbers of the same ``count`` images, and second - first, each with a 95 % percentile interval.

    ``DRAWS`` times images, or whole groups where they are known, are drawn again. A draw on which a number is not
    defined is left out; with too few left there is no interval.
    """
    first, second = statistic(np.arange(count))
    draw = np.random.default_rng([seed, count])
    names = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1]
    members = [np.flatnonzero(names == name) for name in range(names.max() + 1)]
    found: list[tuple[float, float]] = []
    for _ in range(DRAWS):
        rows = np.concatenate([members[place] for place in draw.integers(len(members), size=len(members))])
        one, two = statistic(rows)
        if np.isfinite(one) and np.isfinite(two):
            found.append((one, two))
    enough = len(found) > DRAWS / 2 and len(members) > 1
    drawn = np.array(found).reshape(-1, 2)

    def middle(values: Values) -> tuple[float | None, float | None]:
        return tuple(np.quantile(values, [0.025, 0.975]).tolist()) if enough else (None, None)

    low, high = middle(drawn[:, 1] - drawn[:, 0])
    known = np.isfinite(first) and np.isfinite(second)
    return {
        "first": float(first) if np.isfinite(first) else None,
        "second": float(second) if np.isfinite(second) else None,
        "first_low_high": middle(drawn[:, 0]),
        "second_low_high": middle(drawn[:, 1]),
        "difference": float(second - first) if known else None,
        "low": low if known else None,
        "high": high if known else None,
        "n": count,
    }
