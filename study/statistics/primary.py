"""The estimate that the verdict is given on: one reader, or several."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from study.statistics.clustered import Clusters, Effective, effective, sign_flip
from study.statistics.paired import Interval
from study.statistics.readers import Estimate, obuchowski_rockette
from study.statistics.verdict import state, verdict


@dataclass(frozen=True)
class Primary:
    """The primary estimate and its verdict. ``level`` is the two-sided level of ``ci``."""

    method: str
    delta: float | None
    ci: Interval | None
    level: float
    margin: float | None
    verdict: str | None
    p: float | None = None
    statement: str = ""

    @classmethod
    def undefined(cls, why: str, margin: float | None, level: float) -> "Primary":
        return cls(f"none: {why}", None, None, level, margin, None)

    @classmethod
    def of(
        cls, method: str, delta: float, ci: Interval, margin: float | None, level: float, p: float, measure: str
    ) -> "Primary":
        said = state(delta, ci, margin, level, measure)
        return cls(method, delta, ci, level, margin, verdict(ci, margin), p, said)


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


def one_reader(
    clusters: Clusters, margin: float | None, level: float, measure: str = "true positive fraction"
) -> Primary:
    """Tango's interval at the effective sample size (with one set: at the patches), p by sign-flip."""
    eff = effective(clusters)
    method = "Tango score interval" + (" at the effective sample size" if eff.pairs.n > len(clusters.pairs) else "")
    p = sign_flip(clusters.differences).p
    return Primary.of(method, eff.pairs.delta, eff.tango(level), margin, level, p, measure)


def several_readers(
    scores: np.ndarray,
    clusters: Clusters,
    margin: float | None,
    level: float,
    measure: str = "true positive fraction",
) -> tuple[Primary, Crossed, list[str]]:
    """Readers and patches random, from ``scores`` (2, readers, patches); and warnings.

    ``clusters`` are all pairs by patch. They are needed where every reader shows the same on every patch: the data
    then hold no estimate of the error, Obuchowski-Rockette would give an interval without width, and Tango's interval
    at one pair per patch stands in for it.
    """
    model = obuchowski_rockette(scores)
    random, fixed = model.random_both, model.fixed_readers
    warnings = []
    if random.se > 0:
        method = "Obuchowski-Rockette, random readers and random patches, Hillis degrees of freedom"
        p, interval = random.p, _within(random)
    else:
        method = "Tango score interval at one pair per patch (no variation between readers or patches was seen)"
        eff = effective(clusters)
        n = len(clusters.pairs)
        p, interval = sign_flip(clusters.differences).p, Effective(eff.pairs.n / n, float(n), eff.pairs).tango
        warnings.append(
            "All readers gave the same result on every patch, so that no error can be estimated from the data; the "
            "interval counts every patch once, whoever read it."
        )
    crossed = Crossed(
        delta=random.delta,
        se=random.se,
        df=random.df,
        t=random.t,
        p=p,
        ci95=interval(0.95),
        ci90=interval(0.90),
        method=method,
        readers=scores.shape[1],
        patches=scores.shape[2],
        fixed_readers=_held(fixed, "these readers only; random patches, t on patches - 1"),
        fixed_patches=_held(model.fixed_patches, "these patches only; random readers, t on readers - 1"),
        components=model.components,
    )
    ci = interval(level)
    if random.se > 0 and fixed.se > 0 and _width(ci) < _width(_within(fixed)(level)):
        # More cannot be known of readers in general than of these readers: the arm-by-reader variance came out below
        # zero. Held at zero, like Cov2 - Cov3, it leaves the error of these readers.
        method += ", arm-by-reader variance held at zero"
        ci, p = _within(fixed)(level), fixed.p
        warnings.append(
            "The readers' differences vary less than their own errors make likely, so that the interval over random "
            "readers (crossed) is narrower than the one for these readers alone; the verdict goes by the wider one."
        )
    return Primary.of(method, random.delta, ci, margin, level, p, measure), crossed, warnings


def _within(estimate: Estimate) -> Callable[[float], Interval]:
    """The estimate's interval, cut at -1 and 1: the change of a fraction cannot lie beyond."""

    def interval(level: float) -> Interval:
        low, high = estimate.interval(level)
        return max(low, -1.0), min(high, 1.0)

    return interval


def _width(interval: Interval) -> float:
    return interval[1] - interval[0]


def _held(estimate: Estimate, method: str) -> Difference:
    if estimate.se == 0:
        return Difference(estimate.delta, 0.0, estimate.df, None, None, method)
    return Difference(estimate.delta, estimate.se, estimate.df, _within(estimate)(0.95), estimate.p, method)
