"""The estimate that the verdict is given on: one reader, or several."""

from dataclasses import dataclass

import numpy as np

from core.proportions import Interval
from study.statistics.clustered import SignFlip, sign_flip
from study.statistics.margin import Units
from study.statistics.readers import Estimate
from study.statistics.rule import Judged, judge, over_slides
from study.statistics.units import FEWEST_GROUPS
from study.statistics.verdict import state, verdict


@dataclass(frozen=True)
class Primary:
    """The primary estimate and its verdict. ``level`` is the two-sided level of ``ci``.

    ``ci`` answers to the margin. ``p`` is the two-sided test of a difference (``test`` names it), ``difference_ci`` the
    interval that belongs to it, where it has one: shorter than ``ci`` over few patches, because it is not widened for
    losses that were not drawn. ``p_non_inferior`` is the one-sided p that the change lies above -margin and
    ``p_equivalent`` the larger of the two that it lies within the margin. ``withheld`` says why there is no verdict
    although there is an estimate. ``unit`` says over what the inference goes.
    """

    method: str
    delta: float | None
    ci: Interval | None
    level: float
    margin: float | None
    verdict: str | None
    p: float | None = None
    statement: str = ""
    test: str = ""
    p_non_inferior: float | None = None
    p_equivalent: float | None = None
    withheld: str | None = None
    unit: str = ""
    units: int = 0
    readers: int = 0
    patches: int = 0
    measure: str = ""
    difference_ci: Interval | None = None
    p_holm: float | None = None
    """``p`` corrected for the other comparisons of its family; None for a comparison that stands alone."""

    @classmethod
    def undefined(cls, why: str, margin: float | None, level: float) -> "Primary":
        return cls(f"none: {why}", None, None, level, margin, None)


@dataclass(frozen=True)
class Scored:
    """What is judged: ``scores`` (2, readers, patches), means over sets, NaN where there is no answer.

    ``unit`` (patches,) numbers the unit of each patch; None where no patch has a group and the patches are the units.
    """

    scores: np.ndarray
    unit: np.ndarray | None

    @property
    def units(self) -> int:
        return self.scores.shape[-1] if self.unit is None else int(self.unit.max()) + 1

    @property
    def over(self) -> str:
        """What the units are called."""
        return "patches" if self.unit is None else "slides or patients"

    @property
    def sentence(self) -> str:
        """Over what the inference goes, as it is printed."""
        patches = self.scores.shape[-1]
        if self.unit is None:
            return f"{patches} patches, no slides or patients known; inference over patches"
        return f"{patches} patches from {self.units} slides or patients (groups); inference over these"

    @property
    def too_few(self) -> str:
        """Why nothing is claimed of so few slides; empty where there are enough."""
        if self.unit is None or self.units >= FEWEST_GROUPS:
            return ""
        return (
            f"the patches come from {self.units} slides or patients, and with fewer than {FEWEST_GROUPS} it is not "
            "known well enough how slides differ. Estimates and intervals stand; more slides are needed for a claim, "
            "not more patches of these."
        )


@dataclass(frozen=True)
class Difference:
    """A crossed analysis with one source held fixed. ``ci95`` and ``p`` are None where no error was seen."""

    delta: float
    se: float
    df: float
    ci95: Interval | None
    p: float | None
    method: str


@dataclass(frozen=True)
class Crossed:
    """Several readers: Obuchowski-Rockette with Hillis' degrees of freedom."""

    delta: float
    se: float
    df: float
    t: float
    p: float
    ci95: Interval
    ci90: Interval
    method: str
    readers: int
    patches: int
    fixed_readers: Difference
    fixed_patches: Difference
    components: dict[str, float]
    units: int = 0


def one_reader(
    scored: Scored, margin: float | None, level: float, measure: str = "true positive fraction", withheld: str = ""
) -> Primary:
    """One reader, who is the reader of interest: patches or slides are random; p as :func:`flipped` gives it."""
    judged = judge(scored.scores, scored.unit)
    flip = flipped(judged.margin.units)
    test = f"sign-flip test over {scored.over} ({flip.patterns})"
    return _primary(judged, scored, flip.p, test, margin, level, measure, withheld)


def flipped(units: Units) -> SignFlip:
    """The exact sign-flip test over ``units``; over slides its p is never below that of the t test over slides."""
    flip, t = sign_flip(units.total), float(over_slides(units))
    return flip if t <= flip.p else SignFlip(t, f"{flip.patterns}; p of the t test over slides, which is larger")


def several_readers(
    scored: Scored, margin: float | None, level: float, measure: str = "true positive fraction", withheld: str = ""
) -> tuple[Primary, Crossed, list[str]]:
    """Readers and patches (or slides) random; and warnings."""
    judged = judge(scored.scores, scored.unit)
    model = judged.readers
    assert model is not None
    random, fixed = model.random_both, model.fixed_readers
    warnings = []
    test = "Obuchowski-Rockette, random readers and random patches, Hillis degrees of freedom"
    p = float(judged.p)
    if random.se == 0:
        flip = flipped(judged.margin.units)
        p, test = flip.p, f"sign-flip test over {scored.over} ({flip.patterns}); no variation between readers was seen"
        warnings.append(
            "All readers gave the same result on every patch, so that no error of the readers can be estimated; the "
            "interval goes by the patches alone."
        )
    elif p > random.p:
        test += ", arm-by-reader variance held at zero"
        warnings.append(
            "The readers' differences vary less than their own errors make likely, so that p over random readers "
            "(crossed) is smaller than for these readers alone; the verdict goes by the larger one."
        )
    crossed = Crossed(
        delta=random.delta,
        se=random.se,
        df=random.df,
        t=random.t,
        p=random.p if random.se > 0 else p,
        ci95=_within(random, 0.95),
        ci90=_within(random, 0.90),
        method="Obuchowski-Rockette, random readers and random patches, Hillis degrees of freedom",
        readers=scored.scores.shape[1],
        patches=scored.scores.shape[2],
        fixed_readers=_held(fixed, "these readers only; random patches, t on patches - 1"),
        fixed_patches=_held(model.fixed_patches, "these patches only; random readers, t on readers - 1"),
        components=model.components,
        units=scored.units,
    )
    wider = max(random, fixed, key=lambda one: one.half(level) if one.se > 0 else 0.0)
    own = _within(wider, level) if random.se > 0 else None
    return _primary(judged, scored, p, test, margin, level, measure, withheld, own), crossed, warnings


def _primary(
    judged: Judged,
    scored: Scored,
    p: float,
    test: str,
    margin: float | None,
    level: float,
    measure: str,
    withheld: str,
    difference_ci: Interval | None = None,
) -> Primary:
    rule = judged.margin
    delta, ci = float(rule.units.mean), rule.interval(level)
    withheld = " ".join(filter(None, [withheld, scored.too_few]))
    method = f"Empirical likelihood over {scored.over}, 0.85 of a patch added at each end"
    if judged.readers is not None:
        method += ", with the readers' part of Obuchowski-Rockette"
    above = below = None
    if margin is not None:
        above, below = rule.p_above(-margin), rule.p_below(margin)
    return Primary(
        method=method,
        delta=delta,
        ci=ci,
        level=level,
        margin=margin,
        verdict=None if withheld else verdict(ci, margin, p, (1 - level) / 2),
        p=p,
        statement=state(delta, ci, margin, level, measure, p, withheld=withheld, own=difference_ci),
        test=test,
        p_non_inferior=above,
        p_equivalent=None if above is None or below is None else max(above, below),
        withheld=withheld or None,
        unit=scored.sentence,
        units=scored.units,
        readers=scored.scores.shape[1],
        patches=scored.scores.shape[2],
        measure=measure,
        difference_ci=difference_ci,
    )


def _within(estimate: Estimate, level: float) -> Interval:
    """The estimate's interval, cut at -1 and 1: the change of a fraction cannot lie beyond."""
    low, high = estimate.interval(level)
    return max(low, -1.0), min(high, 1.0)


def _held(estimate: Estimate, method: str) -> Difference:
    if estimate.se == 0:
        return Difference(estimate.delta, 0.0, estimate.df, None, None, method)
    return Difference(estimate.delta, estimate.se, estimate.df, _within(estimate, 0.95), estimate.p, method)
