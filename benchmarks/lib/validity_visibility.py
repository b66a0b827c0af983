"""How often do the intervals of the visibility study cover the truth, and how often is a forced choice falsely found?

    cells(replications, seed, quick) -> one dict per line

Thresholds, the blind-spot index and the safety factor of simulated readers and patches, fixed and adaptive; forced
choices of readers who see nothing but prefer one image of a pair for good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, log, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from benchmarks.lib import observer
from study.design.choice_power import ChoiceDesign, found, power, simulate
from study.design.seeing import FLIP, LEVELS, MIDDLE, SLOPE, World, read
from study.statistics.visibility.fitting import fit
from study.statistics.visibility.index import Comparison, Flips
from study.statistics.visibility.model import Trials
from study.statistics.visibility.predictors import ranked

SPREADS = ((0.3, 0.5), (0.5, 0.7))
LAPSES = (0.0, 0.05, 0.15)
READERS = (3, 5, 10)
STRAYS = (0.5, 0.3)
"""SD over patches of the log by which another measure strays from the one that made the answers."""
DESIGNS = {"fixed, 8 levels x 20 patches": (20, None), "adaptive, 60 pairs on 30 patches": (30, 60)}


def cells(replications: int, seed: int, quick: bool = False) -> Iterator[dict[str, Any]]:
    """Line by line, as they come: the whole takes a quarter of an hour on a quiet machine."""
    chosen = list(product(DESIGNS, SPREADS, LAPSES, READERS))
    if quick:
        chosen = [cell for cell in chosen if cell[2] == 0.05 and cell[3] < 10]
    for cell in chosen:
        yield from coverage(*cell, replications, seed)
    yield from _ideal_observer()
    yield from _choices(max(4 * replications, 20), seed)
    yield from _predictors(replications, seed)


def coverage(
    design: str, spread: tuple[float, float], lapse: float, readers: int, replications: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Threshold, index and factor over readers, and each reader's own threshold, in one cell."""
    patches, trials = DESIGNS[design]
    world = World(*spread, lapse)
    rng = np.random.default_rng(seed)
    found: dict[str, list[Found]] = {"threshold": [], "blind-spot index": [], "safety factor": []}
    own: list[bool] = []
    errors, widths = [], []
    for _ in range(replications):
        study = read(rng, world, readers, patches, trials)
        covariate = study.log_flip - study.log_flip.mean()
        fitted = fit(Trials.count(study.reader, study.patch, study.level, study.right, covariate))
        compared = Comparison(fitted, Flips(study.log_flip, np.arange(patches)))
        threshold = compared.over_readers(lambda at: at[:readers])
        share, (factor, factor_ci) = compared.share(), compared.factor()
        found["threshold"].append(_found(threshold.mean, threshold.ci95, log(MIDDLE)))
        found["blind-spot index"].append(
            _found(_probit(share.value), share.ci95 and tuple(map(_probit, share.ci95)), _probit(world.index()))
        )
        found["safety factor"].append(
            _found(log(factor) if factor else None, factor_ci and tuple(np.log(factor_ci)), log(MIDDLE / FLIP))
        )
        each = compared.each_reader(lambda at: at[:readers])
        own += [_found(one.mean, one.ci95, truth).side == 0 for one, truth in zip(each, study.log_threshold)]
        errors.append(np.abs(fitted.mean - study.log_threshold))
        widths.append((share.ci95 or (0.0, 1.0))[1] - (share.ci95 or (0.0, 1.0))[0])
    about = {
        "within_15_percent": round(float(np.mean(np.concatenate(errors) < log(1.15))), 3),
        "median_error": round(float(np.expm1(np.median(np.concatenate(errors)))), 3),
        "index_width": round(float(np.mean(widths)), 2),
        "pairs_per_reader": trials or 8 * patches,
    }
    name = f"{design}, {readers} readers, SD {spread[0]:g} and {spread[1]:g}, lapses {lapse:.0%}"
    for what, ones in found.items():
        yield _row(f"{name}: {what}", "coverage", 0.95, [one.side == 0 for one in ones]) | _misses(ones) | about
    row = _row(f"{name}: one reader's threshold", "coverage", 0.95, own) | about
    yield row | {"replications": replications}  # readers of one study are not independent: the error is that of studies


def _probit(share: float) -> float:
    return float(ndtri(min(max(share, 1e-5), 1 - 1e-5)))


def _ideal_observer() -> Iterator[dict[str, Any]]:
    """The most that 60 pairs can tell of one reader's threshold; no simulation, so no Monte Carlo error."""
    levels = np.log(LEVELS / MIDDLE)
    for lapse, spread in product(LAPSES, (0.0, 0.5)):
        told = observer.best(SLOPE, lapse, spread)[1]
        fixed = float(observer.of_levels(levels, SLOPE, lapse, spread).mean())
        yield {
            "name": f"ideal observer, 60 pairs, slope {SLOPE:g}, patches' SD {spread:g}, lapses {lapse:.0%}",
            "what": "one reader's threshold within 15 %, at most",
            "rate": round(observer.within(0.15, (60 * told) ** -0.5), 3),
            "monte_carlo_error": 0.0,
            "replications": 0,
            "pairs_for_95_percent": observer.needed(0.15, 0.95, told),
            "fixed_pairs_for_the_same": ceil(60 * told / fixed),
        }


@dataclass(frozen=True)
class Found:
    """One study's number on the scale on which its interval is made (log or probit), less the truth; the interval's
    half width; and on which ``side`` of the truth the interval lies: 0 covers, 1 above, -1 below."""

    off: float
    half: float
    side: int


def _found(value: float | None, ci: tuple[float, ...] | None, truth: float) -> Found:
    """No interval counts as covering: nothing false is said."""
    off = nan if value is None else value - truth
    if ci is None:
        return Found(off, nan, 0)
    return Found(off, (ci[1] - ci[0]) / 2, int(ci[0] > truth) - int(ci[1] < truth))


def _misses(ones: list[Found]) -> dict[str, float]:
    """Intervals that lie wholly above and below the truth; how many were withheld; the mean error; and how many times
    as wide as needed intervals are, against 1.96 times the spread that the number really has from study to study."""
    off, half = np.array([one.off for one in ones]), np.array([one.half for one in ones])
    needed = 1.96 * float(np.nanstd(off))
    return {
        "above": round(float(np.mean([one.side > 0 for one in ones])), 3),
        "below": round(float(np.mean([one.side < 0 for one in ones])), 3),
        "withheld": round(float(np.isnan(half).mean()), 3),
        "bias": round(float(np.nanmean(off)), 3),
        "times_as_wide_as_needed": round(float(np.nanmean(half)) / needed, 2) if needed else 0.0,
    }


def _choices(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    for readers, sets, sd, pairs in product((1, 3, 5), (1, 2, 4), (1.5, 3.0), (20, 40)):
        rng = np.random.default_rng(seed)
        design = ChoiceDesign(pairs, readers, sets, sd)
        false = [found(simulate(rng, design)) for _ in range(replications)]
        sets_said = f"{sets} set{'s' * (sets > 1)}"
        name = (
            f"forced choice, {readers} reader{'s' * (readers > 1)}, {pairs} pairs, {sets_said}, preferences SD {sd:g}"
        )
        yield _row(name, "false sight (one-sided)", 0.05 if readers == 1 else 0.025, false)
    for design in (ChoiceDesign(400, 1, 2), ChoiceDesign(200, 5, 2)):
        planned = power(design, 0.55, replications=replications, seed=seed + 1)
        rng = np.random.default_rng(seed)
        again = [found(simulate(rng, design, 0.55)) for _ in range(replications)]
        name = (
            f"bias of 55 %, {design.readers} readers, {design.pairs} pairs, {design.sets} sets, planned {planned:.0%}"
        )
        yield _row(name, "found", planned, again)


def planted(rng: np.random.Generator, readers: int, patches: int, trials: int | None, noise: float = 0.5):
    """Answers that follow one measure, beside two that stray from it by patch and one that knows the direction only."""
    study = read(rng, World(0.3, 0.0, 0.05), readers, patches, trials)
    stray = noise * rng.standard_normal((3, patches))
    table = pd.DataFrame({"reader_id": study.reader.astype(str), "patch_id": study.patch.astype(str)})
    table = table.assign(correct=study.right.astype(float), seen=study.level)
    for number in (0, 1):
        table[f"other{number}"] = study.level * np.exp(stray[number][study.patch])
    return table.assign(rank=np.exp(stray[2])[study.patch] * np.sqrt(study.level))


def _predictors(replications: int, seed: int) -> Iterator[dict[str, Any]]:
    designs = ((3, 20, None), (5, 20, None), (3, 30, 60), (5, 30, 60), (10, 30, 60))
    for noise, (readers, patches, trials) in product(STRAYS, designs):
        rng = np.random.default_rng(seed)
        first, wrongly = [], []
        for _ in range(replications):
            order = ranked(planted(rng, readers, patches, trials, noise), ("other0", "seen", "other1", "rank"))
            first.append(order[0].measure == "seen")
            below = [row.behind_ci95 for row in order if row.measure == "seen" and row.behind_ci95]
            wrongly.append(any(ci[0] > 0 for ci in below))
        design = f"{readers} readers, {patches} patches, {'adaptive' if trials else 'fixed'}"
        name = f"what predicts seeing, {design}, other measures stray by SD {noise:g}"
        yield _row(f"{name}: the planted measure is first", "found", 0.9, first)
        yield _row(f"{name}: the planted measure lies behind with its whole interval", "false", 0.05, wrongly)


def _row(name: str, what: str, nominal: float, hits: list[bool]) -> dict[str, Any]:
    n, at = len(hits), min(max(nominal, 0.01), 0.99)
    return {
        "name": name, "what": what, "nominal": round(nominal, 4), "rate": round(float(np.mean(hits)), 4),
        "monte_carlo_error": round(sqrt(at * (1 - at) / n), 4), "replications": n,
    }  # fmt: skip
