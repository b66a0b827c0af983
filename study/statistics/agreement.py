"""The same reader twice, and reader against reader: agreement, chance-corrected and not.

Chance correction by kappa breaks down where nearly every answer is the same (Feinstein & Cicchetti 1990): 19 of 20
agreements can give a kappa below zero. So kappa always stands beside the prevalence, Gwet's AC1 and the specific
agreements, and is None where it is 0 / 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from core.proportions import Interval, wilson
from study.statistics.two_way import means, over_readers, sums

RESAMPLES = 2000


@dataclass(frozen=True)
class Agreement:
    """Fractions; None where undefined. ``n`` is the number of compared pairs of answers or of rated units."""

    n: int
    percent_agreement: float | None
    wilson_ci95: Interval | None
    kappa: float | None
    ac1: float | None
    positive_agreement: float | None
    negative_agreement: float | None
    fleiss_kappa: float | None
    alpha: float | None
    prevalence: float | None
    """Share of `tumour` among all answers."""
    raters: int = 2
    bootstrap_ci95: dict[str, Interval | None] | None = None
    """Over patches (and over readers, where each is compared with the own earlier reading)."""


@dataclass(frozen=True)
class _Sums:
    """What every coefficient is made of, summed over units; each may be an array over resamples."""

    units: np.ndarray  # units with two answers or more
    agree: np.ndarray  # pairwise agreement within units, summed
    rated: np.ndarray  # units with any answer
    share: np.ndarray  # share of positives within rated units, summed
    pairable: np.ndarray  # answers in those units
    positives: np.ndarray  # positive answers in those units
    mixed: np.ndarray  # coincidences of 1 with 0, per (raters - 1), one direction


def _unit_sums(ratings: np.ndarray) -> np.ndarray:
    """Per unit (n, 7) the terms of :class:`_Sums`; ``ratings`` (n, raters) of 0, 1, NaN."""
    answered = ~np.isnan(ratings)
    count = answered.sum(axis=1).astype(float)
    ones = np.nansum(ratings, axis=1)
    zeros = count - ones
    use = count >= 2
    safe = np.where(use, count, 2.0)
    agree = (ones * (ones - 1) + zeros * (zeros - 1)) / (safe * (safe - 1))
    mixed = ones * zeros / (safe - 1)
    rated = count >= 1
    compared = np.stack([np.ones_like(count), agree, count, ones, mixed], axis=1) * use[:, None]
    share = np.where(rated, ones / np.maximum(count, 1.0), 0.0)
    return np.column_stack([compared[:, :2], rated, share, compared[:, 2:]])


def _coefficients(s: _Sums) -> dict[str, np.ndarray]:
    """Pairwise agreement, Gwet's AC1, Fleiss' kappa and Krippendorff's alpha (nominal); NaN where 0 / 0.

    A unit with one answer cannot show agreement, but tells how common an answer is: it counts in the chance agreement
    of AC1 and Fleiss' kappa (Gwet 2014, and irrCAC), not in Krippendorff's alpha.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = s.agree / s.units
        share = s.share / s.rated
        chance_ac1 = 2 * share * (1 - share)  # q = 2 categories
        chance_fleiss = share**2 + (1 - share) ** 2
        expected = s.positives * (s.pairable - s.positives) / (s.pairable - 1)
        return {
            "percent_agreement": observed,
            "ac1": (observed - chance_ac1) / (1 - chance_ac1),
            "fleiss_kappa": np.where(
                chance_fleiss < 1 - 1e-12, (observed - chance_fleiss) / (1 - chance_fleiss), np.nan
            ),
            "alpha": np.where(expected > 0, 1 - s.mixed / expected, np.nan),
        }


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's kappa of two arrays (n,) of 0/1; None where both always gave one same answer."""
    return _mean_pairwise(np.column_stack([first, second]).astype(float))[0]


def _mean_pairwise(ratings: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Over all pairs of raters: mean Cohen's kappa where defined (Light 1971), positive and negative agreement."""
    ones, zeros = (ratings == 1).astype(float), (ratings == 0).astype(float)  # (n, raters); NaN is neither
    above = np.triu_indices(ratings.shape[1], k=1)  # each pair of raters once
    # For each pair of raters, over the units that both rated: how often they said 1 and 1, 0 and 0, 1 and 0, 0 and 1.
    both_of, neither_of = (ones.T @ ones)[above], (zeros.T @ zeros)[above]
    first, second = (ones.T @ zeros)[above], (zeros.T @ ones)[above]
    count = both_of + neither_of + first + second
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = (both_of + first) / count, (both_of + second) / count
        chance = p1 * p2 + (1 - p1) * (1 - p2)
        kappas = ((both_of + neither_of) / count - chance) / (1 - chance)
    defined = kappas[(count > 0) & (chance <= 1 - 1e-12)]
    both, neither, mixed = int(both_of.sum()), int(neither_of.sum()), int((first + second).sum())
    return (
        float(defined.mean()) if len(defined) else None,
        2 * both / (2 * both + mixed) if both + mixed else None,
        2 * neither / (2 * neither + mixed) if neither + mixed else None,
    )


def agreement(
    ratings: np.ndarray, patch: np.ndarray | None = None, reader: np.ndarray | None = None, seed: int = 0
) -> Agreement:
    """Agreement of ``ratings`` (n units, raters) of 0, 1 and NaN for missing.

    ``patch`` (n,) names the patch (or slide) of each unit; with it the coefficients get percentile intervals by
    resampling whole patches, and Wilson's interval goes by the effective number of units where patches come back.
    ``reader`` (n,), where the units are several readers' own readings: they are resampled too (Owen's pigeonhole
    bootstrap 2007), since readers differ in how steady they are; patches alone covered 84 % where 95 % were due. An
    interval is None where every resample gives one value (all agree): see ``wilson_ci95``, which then has width, or
    where more than 1 in 20 resamples leaves it undefined.
    """
    ratings = np.asarray(ratings, float)
    patch, reader = (None if x is None else np.asarray(x).astype(str) for x in (patch, reader))
    per_unit = _unit_sums(ratings)
    used = per_unit[:, 0] > 0
    n = int(used.sum())
    if n == 0:
        return Agreement(0, None, None, None, None, None, None, None, None, None, raters=ratings.shape[1])
    values = {key: float(value) for key, value in _coefficients(_Sums(*per_unit.sum(axis=0))).items()}
    kappa, positive, negative = _mean_pairwise(ratings[used])
    percent = values["percent_agreement"]
    return Agreement(
        n=n,
        percent_agreement=percent,
        wilson_ci95=_wilson(percent, per_unit[used, 1], *(None if x is None else x[used] for x in (patch, reader))),
        kappa=kappa,
        ac1=values["ac1"],
        positive_agreement=positive,
        negative_agreement=negative,
        fleiss_kappa=_defined(values["fleiss_kappa"]),
        alpha=_defined(values["alpha"]),
        prevalence=float(np.nanmean(ratings[used])),
        raters=ratings.shape[1],
        bootstrap_ci95=None if patch is None else _bootstrap(per_unit, patch, reader, seed),
    )


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def _wilson(share: float, agree: np.ndarray, patch: np.ndarray | None, reader: np.ndarray | None) -> Interval:
    """Of the mean agreement of n units; with patches that come back at the number of independent units it is worth."""
    n = len(agree)
    if patch is None or len(np.unique(patch)) == n:
        return wilson(share * n, n)
    found = over_readers(means(agree, np.zeros(n) if reader is None else reader, patch))
    if found.ci95 is None:
        worth = float(found.units)
    else:
        half = (found.ci95[1] - found.ci95[0]) / 2
        worth = min(share * (1 - share) * (float(special.ndtri(0.975)) / half) ** 2, n)
    return wilson(share * worth, worth)


def _bootstrap(
    per_unit: np.ndarray, patch: np.ndarray, reader: np.ndarray | None, seed: int
) -> dict[str, Interval | None]:
    tables, rows = sums(list(per_unit.T), np.zeros(len(patch)) if reader is None else reader, patch)
    (r, n), rng = (len(tables[0]), len(rows)), np.random.default_rng(seed)
    patches = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    readers = rng.multinomial(r, np.full(r, 1 / r), size=RESAMPLES) if r > 1 else np.ones((RESAMPLES, 1))
    resampled = _coefficients(_Sums(*(((readers @ table) * patches).sum(axis=1) for table in tables)))
    return {key: _percentile(values) for key, values in resampled.items()}


def _percentile(values: np.ndarray) -> Interval | None:
    known = values[~np.isnan(values)]
    if len(known) < 0.95 * len(values) or np.ptp(known) < 1e-12:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
