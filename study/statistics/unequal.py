"""Degrees of freedom of a mean over units of unequal size, of the two variances in use: g - 1 where all are equal.

With shares w of the patches a variance of the mean is a quadratic form A in the g units' totals. If patches are
independent, Satterthwaite's degrees of freedom are tr(AS)^2 / tr(ASAS) with S = diag(w), worked out by Bell &
McCaffrey (2002). A slide that holds many patches leaves few of them. ``size`` (..., g) may have leading axes, one study
each.
"""

import numpy as np


def of_cr2(size: np.ndarray) -> np.ndarray:
    """Of the CR2 variance: 1 / (sum w^2 + sum over g != h of c_g c_h), c = w^2 / (1 - w)."""
    w = size / size.sum(axis=-1, keepdims=True)
    if w.shape[-1] == 1:
        return np.zeros(w.shape[:-1])
    c = w**2 / (1 - w)
    return 1 / ((w**2).sum(axis=-1) + c.sum(axis=-1) ** 2 - (c**2).sum(axis=-1))


def of_jackknife(size: np.ndarray) -> np.ndarray:
    """Of the jackknife variance, at least 1; units without a patch do not count.

    The mean without unit k differs from the whole one by w_k / (1 - w_k) times what k differs from it, so that
    A = L'L, L = C diag(w / (1 - w)) (I - 1w'), C centring; the unit's mean has the variance 1 / w. Simulated with 5 to
    21 unequal slides and any correlation within them, false claims stay at or below 5.7 %; with g - 1 they reach 12 %,
    with CR2's own 8 %.
    """
    size = np.asarray(size, float)
    rows, which = np.unique(size.reshape(-1, size.shape[-1]), axis=0, return_inverse=True)
    return np.array([_jackknife(row[row > 0]) for row in rows])[which.ravel()].reshape(size.shape[:-1])


def _jackknife(rows: np.ndarray) -> float:
    n, w = len(rows), rows / rows.sum()
    if np.ptp(w) < 1e-12:
        return n - 1
    form = (w / (1 - w))[:, None] * (np.eye(n) - w)
    form = form - form.mean(axis=0)
    moved = form.T @ form / w  # A S, up to a factor that cancels
    return max(float(np.trace(moved) ** 2 / (moved * moved.T).sum()), 1.0)
