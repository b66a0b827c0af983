"""The blind spot of a study, from its tidy table: one result per ladder (attack, noise, natural change) and model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from core.proportions import Interval
from study.statistics.two_way import Overall
from study.statistics.units import FEWEST_GROUPS, unit_of
from study.statistics.visibility.fitting import Fit, fit
from study.statistics.visibility.index import Comparison, Flips
from study.statistics.visibility.model import Trials
from study.statistics.visibility.predictors import Predictor, ranked

GUESS = 0.5
FEWEST_PATCHES, FEWEST_ANSWERS, FEWEST_LEVELS = 10, 30, 3
MOST_LAPSES = 0.25
"""Beyond it a threshold cannot be told from slips."""
WIDEST = 100.0
"""An interval of a threshold or a factor whose ends lie further apart than this tells nothing and is not given."""
KNOWN = 0.5
MEASURES = ("l0", "l1", "l2", "linf", "ciede2000", "ms_ssim_loss", "cvvdp_loss")


@dataclass(frozen=True)
class Reader:
    """What one reader sees; the interval takes patches as random and speaks of this reader alone."""

    reader: str
    answers: int
    threshold: float | None
    ci95: Interval | None
    slope: float
    lapse: float
    index: float | None


@dataclass(frozen=True)
class InMeasure:
    """Medians over patches, told in one measure: what readers begin to see, and what flips the model."""

    measure: str
    threshold: float | None
    flip: float | None
    factor: float | None


@dataclass
class Seen:
    """One ladder. Numbers are None where they do not exist; ``reasons`` then says why, by the number's name."""

    ladder: str
    norm: str
    attack: str
    classifier: str
    readers: int
    patches: int
    answers: int
    flips: int
    """Patches with a flip; the others have none up to the largest change that was tried."""
    threshold: float | None = None
    threshold_ci95: Interval | None = None
    index: float | None = None
    index_ci95: Interval | None = None
    index_these_ci95: Interval | None = None
    """These readers, other patches."""
    factor: float | None = None
    factor_ci95: Interval | None = None
    patch_sd: float | None = None
    per_reader: list[Reader] = field(default_factory=list)
    measures: list[InMeasure] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)
    """For the figure: levels, the readers' curves, their mean with its band, all thresholds and flips."""
    reasons: dict[str, str] = field(default_factory=dict)


def visibility(table: pd.DataFrame) -> list[Seen]:
    """From a checked tidy table; empty where no pair belongs to a ladder."""
    if "ladder" not in table or "level" not in table:
        return []
    rows = table[table["ladder"].notna() & (table["level"] > 0) & table["correct"].notna()]
    rows = rows.assign(unit=unit_of(rows))
    found = []
    for ladder, own in rows.groupby("ladder", sort=True):
        kinds = own.groupby([_text(own, "norm"), _text(own, "classifier_id")], sort=True)
        found += [_seen(str(ladder), norm, classifier, part) for (norm, classifier), part in kinds]
    return sorted(found, key=lambda one: (one.ladder != "perturbed", one.ladder))


def identical_pairs(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Per reader: how often the second of two identical images was chosen. Far from one half: a habit of side."""
    if "level" not in table:
        return []
    rows = table[(table["level"] == 0) & table["label"].notna()]
    return [
        {"reader": str(reader), "second": int(own["label"].sum()), "n": len(own)}
        for reader, own in rows.groupby("reader_id", sort=True)
    ]


def predictors(table: pd.DataFrame) -> list[Predictor]:
    """Which measure of the changes foretells best what is seen, over all ladders. A measure that is known of fewer than
    half of the answers is left out: all are compared on the answers of which all are known."""
    if "level" not in table:
        return []
    rows = table[(table["level"] > 0) & table["correct"].notna()]
    return ranked(rows, tuple(name for name in MEASURES if name in rows and (rows[name] > 0).mean() >= KNOWN))


def _text(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name].fillna("").astype(str) if name in rows else pd.Series("", index=rows.index)


def _seen(ladder: str, norm: str, classifier: str, rows: pd.DataFrame) -> Seen:
    names, reader = np.unique(rows["reader_id"].astype(str), return_inverse=True)
    patches = rows.drop_duplicates("patch_id").set_index("patch_id").sort_index()
    place = pd.Series(np.arange(len(patches)), index=patches.index)
    flip = patches["flip"].to_numpy(float) if "flip" in patches else np.full(len(patches), np.nan)
    attacks = _text(rows, "attack")
    seen = Seen(
        ladder, norm, str(attacks.mode().iloc[0]), classifier, len(names), len(patches), len(rows),
        int(np.isfinite(flip).sum()),
    )  # fmt: skip
    too_little = _too_little(rows)
    if too_little:
        seen.reasons = dict.fromkeys(("threshold", "index", "factor"), too_little)
        return seen
    log_flip = np.where(np.isfinite(flip), np.log(np.where(flip > 0, flip, 1.0)), np.inf)
    log_flip[flip == 0] = -np.inf
    trials = Trials.count(
        reader, place[rows["patch_id"]].to_numpy(), rows["level"].to_numpy(), rows["correct"].to_numpy(),
        _covariate(log_flip, patches, rows),
    )  # fmt: skip
    _, unit = np.unique(patches["unit"], return_inverse=True)
    fitted = fit(trials, GUESS)
    compared = Comparison(fitted, Flips(log_flip, unit))
    _thresholds(seen, compared, rows)
    if seen.threshold is not None:
        _blind_spot(seen, compared, _flips_known(patches))
    _readers(seen, compared, names, reader)
    seen.patch_sd = fitted.patch_sd
    seen.curves = _curves(fitted, compared, names, flip, rows)
    seen.measures = _in_measures(rows, fitted, place, np.log(flip))
    if not fitted.converged:
        seen.reasons["fit"] = "the fit did not settle; its numbers are rough"
    return seen


def _too_little(rows: pd.DataFrame) -> str:
    """Why nothing is said; empty where there is enough."""
    patches, levels = rows["patch_id"].nunique(), rows["level"].round(6).nunique()
    fewest = rows.groupby("reader_id").size()
    if patches < FEWEST_PATCHES:
        return f"{patches} patches; at least {FEWEST_PATCHES} are needed to tell one patch from another"
    if levels < FEWEST_LEVELS:
        return f"{levels} sizes of the change were shown; at least {FEWEST_LEVELS} are needed"
    if fewest.min() < FEWEST_ANSWERS:
        return (
            f"reader {fewest.idxmin()} answered {fewest.min()} pairs of this ladder; "
            f"at least {FEWEST_ANSWERS} of every reader are needed"
        )
    return ""


def _covariate(log_flip: np.ndarray, patches: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Log flips, centred; what was never flipped stands where the search ended."""
    known = np.isfinite(log_flip)
    if known.sum() < FEWEST_PATCHES:
        return np.zeros(len(log_flip))
    limit = patches["flip_limit"].to_numpy(float) if "flip_limit" in patches else np.full(len(patches), np.nan)
    end = np.log(np.where(limit > 0, limit, rows["level"].max()))
    value = np.where(known, log_flip, end)
    return value - value.mean()


def _flips_known(patches: pd.DataFrame) -> str:
    """Why flips and thresholds cannot be compared; empty where they can."""
    columns = [patches[name].notna() for name in ("flip", "flip_limit") if name in patches]
    looked = np.any(columns, axis=0) if columns else np.zeros(len(patches), bool)
    if not looked.any():
        return "no flip of the model is known: nobody looked for one"
    missing = int((~looked).sum())
    return f"{missing} patches have neither a flip nor a largest change that was tried" if missing else ""


def _thresholds(seen: Seen, compared: Comparison, rows: pd.DataFrame) -> None:
    fitted = compared.fit
    if fitted.lapse.mean() > MOST_LAPSES:
        why = (
            f"the readers were right in about {1 - fitted.lapse.mean():.0%} even where the change was largest: where "
            "they begin to see it cannot be told from slips. Stronger changes are needed"
        )
        seen.reasons |= dict.fromkeys(("threshold", "index", "factor"), why)
        return
    found = compared.over_readers(_means(fitted))
    lowest, highest = np.log(rows["level"].min()), np.log(rows["level"].max())
    if not lowest - np.log(2) < found.mean < highest + np.log(2):
        side = "below the weakest" if found.mean < lowest else "above the strongest"
        why = f"the readers' threshold lies {side} change that was shown"
        seen.reasons |= dict.fromkeys(("threshold", "index", "factor"), why)
        return
    seen.threshold = float(np.exp(found.mean))
    seen.threshold_ci95, why_not = _interval(found, compared)
    if why_not:
        seen.reasons["threshold_ci95"] = why_not


def _means(fitted: Fit) -> Callable[[np.ndarray], np.ndarray]:
    return lambda at: fitted.model.parts(at)[0]


def _interval(found: Overall, compared: Comparison) -> tuple[Interval | None, str]:
    """On the scale of levels; None and the reason where there is none."""
    few = _few_units(compared)
    if few or found.ci95 is None:
        return None, few or str(found.reason)
    low, high = (float(np.exp(end)) for end in found.ci95)
    if high / low > WIDEST**2:
        return None, f"not known within a factor of {WIDEST:g}: too few readers or answers"
    return (low, high), ""


def _few_units(compared: Comparison) -> str:
    units = len(compared.units)
    if units >= FEWEST_GROUPS:
        return ""
    return f"{units} slides or patients; with fewer than {FEWEST_GROUPS} their spread is not known well enough"


def _blind_spot(seen: Seen, compared: Comparison, unknown: str) -> None:
    if unknown:
        seen.reasons |= {"index": unknown, "factor": unknown}
        return
    few = _few_units(compared)
    share = compared.share()
    seen.index = share.value
    seen.index_ci95, seen.index_these_ci95 = (None, None) if few else (share.ci95, share.these_ci95)
    if few:
        seen.reasons["index_ci95"] = few
    if 2 * seen.flips <= seen.patches:
        never = seen.patches - seen.flips
        seen.reasons["factor"] = (
            f"no flip was found on {never} of {seen.patches} patches up to the largest change that was tried: the "
            "median of threshold / flip is not known"
        )
        return
    seen.factor, ci = compared.factor()
    seen.factor_ci95 = ci if ci and not few and ci[1] / ci[0] <= WIDEST**2 else None
    if seen.factor_ci95 is None:
        seen.reasons["factor_ci95"] = few or "the interval does not close: too few readers, answers or flips"


def _readers(seen: Seen, compared: Comparison, names: np.ndarray, reader: np.ndarray) -> None:
    fitted = compared.fit
    each = compared.each_reader(_means(fitted))
    index = compared.share().per_reader if seen.index is not None else [None] * len(names)
    for number, (name, own, share) in enumerate(zip(names, each, index)):
        seen.per_reader.append(
            Reader(
                str(name), int((reader == number).sum()), float(np.exp(own.mean)), _interval(own, compared)[0],
                float(fitted.slope[number]), float(fitted.lapse[number]), share,
            )
        )  # fmt: skip


_HERMITE = np.polynomial.hermite_e.hermegauss(15)


def _curve(fitted: Fit, at: np.ndarray, log_level: np.ndarray) -> np.ndarray:
    """P(right) of each reader at each level (R, levels), over patches like these."""
    mean, log_slope, lapse, log_tau, _ = fitted.model.parts(at)
    place = mean[:, None, None] + np.exp(log_tau) * _HERMITE[0]
    seen = expit(np.exp(log_slope)[:, None, None] * (log_level[:, None] - place)) @ (_HERMITE[1] / _HERMITE[1].sum())
    return GUESS + (1 - GUESS - lapse)[:, None] * seen


def _share_at(fitted: Fit, log_level: float, at: Any) -> np.ndarray:
    return _curve(fitted, at, np.array([log_level]))[:, 0]


def _curves(fitted: Fit, compared: Comparison, names: np.ndarray, flip: np.ndarray, rows: pd.DataFrame) -> dict:
    ends = [*flip[flip > 0], rows["level"].min(), rows["level"].max()]
    levels = np.geomspace(min(ends) / 1.5, max(ends) * 1.5, 41)
    log_level = np.log(levels)
    curves = _curve(fitted, fitted.at, log_level)
    band = []
    for one in log_level[::4]:
        ci = None if _few_units(compared) else compared.over_readers(partial(_share_at, fitted, one)).ci95
        band.append([max(ci[0], GUESS), min(ci[1], 1.0)] if ci else [None, None])
    patch = fitted.model.posterior(fitted.at).mean
    return {
        "level": levels.tolist(),
        "readers": {str(name): curve.tolist() for name, curve in zip(names, curves)},
        "mean": curves.mean(axis=0).tolist(),
        "band_level": levels[::4].tolist(),
        "band": band,
        "flips": sorted(flip[np.isfinite(flip)].tolist()),
        "thresholds": sorted(np.exp(fitted.mean[:, None] + patch).ravel().tolist()),
    }


def _in_measures(rows: pd.DataFrame, fitted: Fit, place: pd.Series, log_flip: np.ndarray) -> list[InMeasure]:
    """Thresholds and flips in every measure that was taken of the levels.

    Within a patch the measure follows the level as a power (for norms almost in proportion), fitted over its levels.
    """
    threshold = fitted.mean.mean() + fitted.model.posterior(fitted.at).mean
    found = []
    for measure in MEASURES:
        if measure not in rows or not (rows[measure] > 0).any():
            continue
        shown = rows[rows[measure] > 0].drop_duplicates(["patch_id", "level"])
        of_threshold, of_flip = [], []
        for patch, own in shown.groupby("patch_id"):
            if own["level"].nunique() < 2:
                continue
            x, y = np.log(own["level"].to_numpy(float)), np.log(own[measure].to_numpy(float))
            power, at_one = np.polyfit(x, y, 1)
            number = place[patch]
            of_threshold.append(at_one + power * threshold[number])
            of_flip.append(at_one + power * log_flip[number])
        seen, flips = np.array(of_threshold), np.array(of_flip)
        flipped = np.where(np.isfinite(flips), flips, np.inf)
        found.append(InMeasure(measure, _median(seen), _median(flipped), _median(seen - flipped)))
    return found


def _median(log_values: np.ndarray) -> float | None:
    """exp(median); None without values or where it is not finite, as for flips that were mostly not found."""
    if not len(log_values):
        return None
    middle = float(np.median(log_values))
    return float(np.exp(middle)) if np.isfinite(middle) else None
