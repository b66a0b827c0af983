"""The further arms of a study: each against the original, the perturbed one against noise, with Holm's correction."""

from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from study.statistics.comparisons import comparisons
from study.statistics.endpoint import Endpoint, endpoint
from study.statistics.multiplicity import Adjusted, Evidence, holm_over_arms
from study.statistics.primary import Primary
from study.statistics.schema import arm_family
from study.statistics.verdict import change, corrected


@dataclass
class FurtherArms:
    """``controls``: arm against original. ``against_noise``: the perturbed arm against noise of equal energy."""

    controls: dict[str, Endpoint] = field(default_factory=dict)
    against_noise: dict[str, Endpoint] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def without_catch_patches(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of patches that are shown in an arm to be compared.

    Where twins lie in different sets, catch images are patches of their own: there is nothing to compare them with.
    """
    compared = rows.loc[rows["arm"].map(arm_family) != "catch", "patch_id"].unique()
    return rows[rows["patch_id"].isin(compared)]


def further_arms(rows: pd.DataFrame, perturbed_arm: str, *, alpha: float, **asked: Any) -> FurtherArms:
    """Analyse ``rows`` of one truth (checked tidy table); ``asked`` goes to :func:`endpoint`.

    All these comparisons are one family: their verdicts and ``p_holm`` are corrected by Holm's method, the primary
    comparison is not one of them. Intervals stay those of the single comparison.
    """
    found = FurtherArms()
    for comparison in comparisons(rows["arm"], perturbed_arm):
        if comparison.kind == "primary":
            continue
        value = endpoint(rows, comparison.arm, reference_arm=comparison.reference, **asked)
        kept = found.controls if comparison.kind == "control" else found.against_noise
        kept[comparison.arm if comparison.kind == "control" else comparison.name] = value
        found.warnings += [f"Arm {comparison.name}: {warning}" for warning in value.warnings]
    family = {**found.controls, **found.against_noise}
    evidence = {
        name: Evidence(primary.p, primary.p_non_inferior, primary.p_equivalent)
        for name, value in family.items()
        if (primary := value.primary) is not None
    }
    adjusted = holm_over_arms(evidence, alpha)
    for name, value in family.items():
        if value.primary is not None and value.primary.ci is not None:
            value.primary = _corrected(value.primary, adjusted[name], len(family))
    return found


def _corrected(primary: Primary, adjusted: Adjusted, comparisons: int) -> Primary:
    if adjusted.difference_p is None or adjusted.verdict is None:
        return primary
    if primary.withheld or comparisons == 1 or primary.delta is None or primary.ci is None:
        return replace(primary, p_holm=adjusted.difference_p)
    said = change(primary.delta, primary.ci, primary.level, primary.measure)
    said = f"{said}. {corrected(adjusted.verdict, adjusted.difference_p, comparisons)}"
    return replace(primary, verdict=adjusted.verdict, p_holm=adjusted.difference_p, statement=said)
