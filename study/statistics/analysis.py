"""The whole analysis of one tidy table: :func:`analyse`."""

from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from core import published
from core.errors import InvalidInput
from model.learning.groups import few_groups
from study.statistics import secondary
from study.statistics.agreement import Agreement
from study.statistics.arms import further_arms, without_catch_patches
from study.statistics.assay import FLOOR_D_PRIME, FLOOR_TPF, AssaySensitivity, assay_sensitivity
from study.statistics.claims import limits_of_the_claim
from study.statistics.endpoint import Endpoint, endpoint
from study.statistics.order import OrderEffects, order_effects
from study.statistics.schema import arm_family
from study.statistics.sensitivity import sensitivity
from study.statistics.table import check
from study.statistics.times import ResponseTime
from study.statistics.units import known_per_class
from study.statistics.verdict import ALPHA
from study.statistics.visibility.ladders import Seen, identical_pairs, predictors, visibility
from study.statistics.visibility.predictors import Predictor


@dataclass
class Analysis:
    """Everything that may be said of one table. Fractions, never percent; None where undefined, with a warning."""

    n: dict[str, int]
    groups: dict[str, int]
    arms: list[str]
    perturbed_arm: str
    positives: Endpoint
    specificity: Endpoint | None
    assay_sensitivity: AssaySensitivity
    controls: dict[str, Endpoint]
    against_noise: dict[str, Endpoint]
    intra_reader: dict[str, Any] | None
    inter_reader: tuple[Agreement, dict[str, Agreement]] | None
    detection: dict[str, Any]
    response_time: ResponseTime | None
    psychometric: dict[str, Any] | None
    visibility: list[Seen]
    identical_pairs: list[dict[str, Any]]
    predictors: list[Predictor]
    sensitivity: dict[str, Any]
    order: OrderEffects | None
    model: dict[str, Any] | None
    flow: dict[str, Any]
    display: dict[str, Any] | None
    alpha: float
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The document of `analyse --json`: plain numbers, lists and None."""
        inter = None
        if self.inter_reader is not None:
            overall, per_arm = self.inter_reader
            inter = {**asdict(overall), **{arm: asdict(value) for arm, value in per_arm.items()}}
        document: dict[str, Any] = {
            "n": self.n,
            "groups": self.groups,
            "arms": self.arms,
            "perturbed_arm": self.perturbed_arm,
            "alpha": self.alpha,
            **_endpoint_json(self.positives),
            "assay_sensitivity": self.assay_sensitivity,
            "controls": {arm: _endpoint_json(value) for arm, value in self.controls.items()},
            "against_noise": {name: _endpoint_json(value) for name, value in self.against_noise.items()},
            "intra_reader": self.intra_reader,
            "inter_reader": inter,
            "detection": self.detection,
            "response_time": self.response_time,
            "psychometric": self.psychometric,
            "visibility": self.visibility,
            "identical_pairs": self.identical_pairs,
            "predictors": self.predictors,
            "specificity": None if self.specificity is None else _endpoint_json(self.specificity),
            "sensitivity": self.sensitivity,
            "order": self.order,
            "model": self.model,
            "published": {"source": published.SOURCE, "table_1a": published.TABLE_1A, "table_1b": published.TABLE_1B},
            "flow": self.flow,
            "display": self.display,
            "warnings": self.warnings,
        }
        return _plain(document)


def _endpoint_json(value: Endpoint) -> dict[str, Any]:
    document: dict[str, Any] = {
        "table_1b": value.table,
        "per_set": value.per_set,
        "per_reader": value.per_reader,
        "primary": value.primary,
    }
    if value.crossed is not None:
        document["crossed"] = value.crossed
    return document


def _plain(value: Any) -> Any:
    """Dataclasses to dicts, tuples to lists, numpy to Python, NaN and infinity to None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def analyse(
    table: pd.DataFrame,
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    model: dict[str, Any] | None = None,
    perturbed_arm: str | None = None,
    invited: int | None = None,
    questionnaire: list[dict[str, Any]] | None = None,
    floor_tpf: float | None = FLOOR_TPF,
    floor_d_prime: float | None = FLOOR_D_PRIME,
    source: str = "table",
) -> Analysis:
    """Analyse a tidy table (:mod:`study.statistics.schema`).

    ``margin`` (a fraction) is the one frozen with the protocol; None gives no verdict of equivalence. ``alpha`` is
    one-sided, 0.025 by default, so that intervals for the verdict have level 0.95. ``model`` is what is known of the
    classifier (Table 1a), carried through. ``perturbed_arm`` names the arm to compare where there are several.
    ``invited`` counts readers who were asked; ``questionnaire`` holds their answers at the end (``reader``,
    ``noticed``: yes, no or unsure). ``floor_tpf`` and, where there are negatives, ``floor_d_prime`` are what readers
    must reach on original images (means over readers) for a verdict to be given: readers who see nothing at all lose
    nothing either. None asks for none. The primary analysis is by intention to read: every answer counts, flagged
    or not.

    Raises :class:`InvalidInput` naming ``source``, row and column, or the choice that has to be made.
    """
    if margin is not None and not 0 < margin < 1:
        raise InvalidInput(f"margin {margin:g}: must be a fraction between 0 and 1, such as 0.10 for 10 points")
    if not 0 < alpha < 0.5:
        raise InvalidInput(f"alpha {alpha:g}: must lie between 0 and 0.5 (one-sided)")
    table = check(table, source)
    whole, (table, warnings) = table, _started(table, source)
    arm = _choose(table, perturbed_arm, source)
    level = 1 - 2 * alpha

    studied = without_catch_patches(table)
    readings = studied[~studied["arm"].map(arm_family).isin(["pair", "bias"])]
    positive, negative = readings[readings["truth"] == 1], readings[readings["truth"] == 0]
    assay = assay_sensitivity(readings, floor_tpf, floor_d_prime)
    asked: dict[str, Any] = {"margin": margin, "level": level, "withheld": assay.reason or ""}
    main = endpoint(positive, arm, **asked)
    warnings += main.warnings if len(readings) else []
    specificity = None
    if len(negative):
        specificity = endpoint(negative, arm, measure="specificity", **asked)
        warnings += [f"Negatives: {warning}" for warning in specificity.warnings]
    others = further_arms(positive, arm, alpha=alpha, **asked)
    warnings += others.warnings

    compared = secondary.two_arms(readings, arm)
    compared_positive = compared[compared["truth"] == 1]
    intra = secondary.intra_reader(compared) if len(compared) else None
    once = secondary.why_no_intra_reader(compared) if len(compared) else None
    warnings += [once] if once else []
    model_part = secondary.model_readings(compared_positive)
    if model:
        model_part = {**(model_part or {}), **model}
    pairs = sum(row.a + row.b + row.c + row.d for row in main.per_set)
    result = Analysis(
        n={
            "patches": int(studied["patch_id"].nunique()),
            "readers": int(table["reader_id"].nunique()),
            "sets": int(table["set"].nunique()),
            "presentations": len(table),
            "positives": int(positive["patch_id"].nunique()),
            "negatives": int(negative["patch_id"].nunique()),
            "answered": int(table["label"].notna().sum()),
        },
        groups=known_per_class(readings),  # of pairs, truth is which of the two was altered
        arms=sorted(set(table["arm"])),
        perturbed_arm=arm,
        positives=main,
        specificity=specificity,
        assay_sensitivity=assay,
        controls=others.controls,
        against_noise=others.against_noise,
        intra_reader=intra,
        inter_reader=secondary.inter_reader(compared) if len(compared) else None,
        detection={
            "negatives": secondary.negatives(compared),
            "altered": secondary.altered(compared),
            "pair_comparison": secondary.pair_comparison(table),
            "bias_task": secondary.bias_task(table),
            "questionnaire": secondary.questionnaire(questionnaire or []),
        },
        response_time=secondary.times(compared, warnings),
        psychometric=secondary.curves(table),
        visibility=visibility(table),
        identical_pairs=identical_pairs(table),
        predictors=predictors(table),
        sensitivity=sensitivity(compared_positive, **asked),
        order=order_effects(positive, arm) if len(compared_positive) else None,
        model=model_part,
        flow=secondary.flow(whole, invited, pairs),
        display=secondary.display(table),
        alpha=alpha,
        warnings=warnings,
    )
    _warn(result)
    return result


def _started(table: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of readers who answered anything; the others are named in a warning and stand in the flow alone."""
    started = table["label"].notna().groupby(table["reader_id"]).transform("any")
    if not started.any():
        raise InvalidInput(f"{source}: none of {len(table)} presentations has an answer; there is nothing to analyse")
    silent = sorted(set(table.loc[~started, "reader_id"]))
    said = [f"Reader {reader} answered nothing and appears only in the flow diagram." for reader in silent]
    return table[started], said


def _choose(table: pd.DataFrame, wanted: str | None, source: str) -> str:
    """The arm compared with `original`: the one asked for, `perturbed`, or the only one of its family."""
    arms = sorted(set(table["arm"]))
    if wanted is not None:
        if wanted not in arms:
            raise InvalidInput(f"{source}: no rows of arm {wanted!r}; there are {', '.join(arms)}")
        return wanted
    family = [arm for arm in arms if arm_family(arm) == "perturbed"]
    if "perturbed" in family or not family:
        return "perturbed"
    if len(family) > 1:
        raise InvalidInput(
            f"{source}: several perturbed arms ({', '.join(family)}); name the one to compare with original"
        )
    return family[0]


def _warn(result: Analysis) -> None:
    """One line for each number that is None because it does not exist, and for what a reader might overlook."""
    warn = result.warnings.append
    shown = result.flow["presentations"]
    if shown["unanswered_of_started"]:
        warn(
            f"{shown['unanswered_of_started']} of {shown['scheduled_for_started']} presentations of readers who "
            "started were not answered."
        )
    if shown["flagged"]:
        warn(
            f"{shown['flagged']} presentations are flagged for exclusion; they stay in the primary analysis "
            "(intention to read) and are left out under sensitivity, per_protocol."
        )
    result.warnings += few_groups({name: count for name, count in result.groups.items() if count}, "Cases")
    if result.order is not None:
        result.warnings += result.order.warnings
    result.warnings += limits_of_the_claim(result.positives, result.n["readers"], result.alpha)
    if result.n["positives"] and not result.n["negatives"]:
        warn(
            "Positives only: a reader who always answers 'tumour' would look the same as one who sees every tumour. "
            "Negatives would tell them apart."
        )
    if not (result.n["positives"] or result.detection["pair_comparison"] or result.visibility):
        warn("No positives: there is no true positive fraction.")
    if result.n["positives"] and result.sensitivity["gee"] is None:
        warn("GEE: an arm is all correct or all wrong, or the fit failed; the odds ratio is undefined.")
    if result.intra_reader:
        for arm in ("original", "perturbed"):
            value = result.intra_reader.get(arm)
            if value is not None and value.kappa is None:
                warn(f"Set against set, {arm}: Cohen's kappa is undefined (every answer the same); see AC1.")
    if result.inter_reader and result.inter_reader[0].fleiss_kappa is None:
        warn("Reader against reader: Fleiss' kappa is undefined (every answer the same); see AC1.")
    if result.response_time is not None and result.response_time.ci95 is None:
        warn(f"Response time, no interval: {result.response_time.reason}.")
