"""A plan: what a study of a given size could show, under stated assumptions. Used by ``plan_study`` and by the page."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from math import ceil
from typing import Any

import numpy as np

from core.errors import InvalidInput
from study.design.crossed import Claims, Components, SimulatedStudies
from study.design.paper_design import paper_design
from study.design.power import LARGEST_N, Discordance, correlated, margin_power, mcnemar_power, smallest_n
from study.statistics.units import FEWEST_GROUPS

TARGETS = (0.80, 0.90)
ONE_READING = ("mcnemar_exact", "mcnemar_midp", "non_inferior", "equivalent")
CROSSED = ("different", "non_inferior", "equivalent")


@dataclass(frozen=True)
class Assumptions:
    """What is planned, and what is assumed to be true. Fractions, not points.

    ``difference`` is the true change that the tests of a difference should find; the claims of non-inferiority and
    equivalence at ``margin`` are judged under no change at all. ``discordance`` overrides, for one reading, the share
    of patches answered differently in the two arms that follows from ``components``.
    """

    patches: int = 20
    readers: int = 5
    sets: int = 2
    tpf: float = 0.90
    difference: float = -0.10
    margin: float = 0.10
    alpha: float = 0.025
    components: Components = field(default_factory=Components)
    discordance: float | None = None
    groups: int | None = None
    """Slides or patients that the patches come from; None: every patch from one of its own."""
    icc: float = 0.3
    """Intra-group correlation: the share of the patches' variances (P, PA) that lies between slides."""
    largest: int = 200
    """Curves and the search over readers x patches x sets go up to this many patches."""
    studies: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Raises InvalidInput naming the field."""
        ranges: dict[str, tuple[float, float, float]] = {
            "patches": (self.patches, 4, LARGEST_N),
            "readers": (self.readers, 1, 50),
            "sets": (self.sets, 1, 10),
            "tpf": (self.tpf, 0.05, 0.99),
            "difference": (self.difference, -0.9, 0.9),
            "margin": (self.margin, 0.01, 0.5),
            "alpha": (self.alpha, 0.0005, 0.25),
            "groups": (self.groups or 2, 2, LARGEST_N),
            "icc": (self.icc, 0, 1),
            "largest": (self.largest, 10, LARGEST_N),
            "studies": (self.studies, 100, 100_000),
            **{f"components.{name}": (sd, 0, 3) for name, sd in asdict(self.components).items()},
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise InvalidInput(f"{value:g} is out of range; choose from {low:g} to {high:g}.", field=name)
        for name, change in (("difference", self.difference), ("margin", -self.margin)):
            if not 0.005 <= self.tpf + change <= 0.995:
                raise InvalidInput(
                    f"a true positive fraction of {self.tpf:g} changed by {change:+g} is not between 0.005 and "
                    f"0.995; choose a smaller {name} or another tpf.",
                    field=name,
                )
        answers = self.studies * 2 * self.readers * max(self.largest, self.patches) * self.sets
        if answers > 400_000_000:
            raise InvalidInput(
                f"{answers:,} answers would have to be simulated; ask for fewer studies, readers, sets or "
                "patches (400 million at most).",
                field="studies",
            )

    def cells(self, difference: float) -> Discordance:
        """The discordant cells of one reading if the truth is ``difference``."""
        if self.discordance is not None:
            # At the margin the arms differ more than assumed: then at least as many patches are answered differently.
            total = max(self.discordance, self.margin) if difference == -self.margin else self.discordance
            return Discordance.of(tpf=self.tpf, difference=difference, discordance=total)
        return correlated(self.tpf, difference, self.components.correlation())

    def simulate(self, difference: float, patches: int) -> SimulatedStudies:
        return SimulatedStudies(
            patches=patches,
            readers=self.readers,
            sets=self.sets,
            tpf=self.tpf,
            difference=difference,
            components=self.components,
            studies=self.studies,
            seed=self.seed,
            groups=self.groups,
            icc=self.icc,
        )


def plan(assumptions: Assumptions) -> dict[str, Any]:
    """Everything that a plan says; the same assumptions give the same plan.

    Returns:
        ``paper`` (see ``paper_design``), ``assumptions``, ``one_reading`` (exact: one reader, one set), ``crossed``
        (simulated: the asked readers and sets) and ``warnings``. Shares are fractions; ``None`` where a target is not
        reached.
    """
    assumptions.check()
    return {
        "paper": paper_design(),
        "assumptions": asdict(assumptions),
        "one_reading": one_reading(assumptions),
        "crossed": crossed(assumptions),
        "warnings": _warnings(assumptions),
    }


@lru_cache(maxsize=64)
def one_reading(assumptions: Assumptions) -> dict[str, Any]:
    """One reader, one set of n patches: exact power, smallest n and curve."""
    a = assumptions
    drop, none, edge = a.cells(a.difference), a.cells(0.0), a.cells(-a.margin)
    power_of: dict[str, Callable[[int], float]] = {
        "mcnemar_exact": cache(lambda n: mcnemar_power(n, drop, a.alpha)),
        "mcnemar_midp": cache(lambda n: mcnemar_power(n, drop, a.alpha, midp=True)),
        "non_inferior": cache(lambda n: margin_power(n, none, a.margin, a.alpha, two_sided=False)),
        "equivalent": cache(lambda n: margin_power(n, none, a.margin, a.alpha, two_sided=True)),
    }
    return {
        "discordance": {
            "if_changed": drop.original_only + drop.perturbed_only,
            "if_unchanged": none.original_only + none.perturbed_only,
        },
        "power": {name: power_of[name](a.patches) for name in ONE_READING},
        "false_claim_at_margin": margin_power(a.patches, edge, a.margin, a.alpha, two_sided=False),
        "smallest_n": {
            name: {f"{target:g}": smallest_n(power_of[name], target, limit=LARGEST_N) for target in TARGETS}
            for name in ONE_READING
        },
        "curve": [
            {"patches": n, **{name: power_of[name](n) for name in ONE_READING}} for n in grid(a.largest, a.patches, 40)
        ],
    }


@lru_cache(maxsize=64)
def crossed(assumptions: Assumptions) -> dict[str, Any]:
    """Readers x patches x sets: simulated power, false claims, smallest number of patches and curve."""
    a = assumptions
    sizes = grid(a.largest, a.patches, 12)
    changed, unchanged = a.simulate(a.difference, sizes[-1]), a.simulate(0.0, sizes[-1])
    at_margin = a.simulate(-a.margin, a.patches).claims(a.patches, margin=a.margin, alpha=a.alpha)

    def at(n: int) -> tuple[Claims, Claims]:
        return tuple(s.claims(n, margin=a.margin, alpha=a.alpha) for s in (changed, unchanged))  # type: ignore[return-value]

    curve = []
    for n in sizes:
        if_changed, if_unchanged = at(n)
        curve.append(
            {
                "patches": n,
                "different": if_changed.different,
                "non_inferior": if_unchanged.non_inferior,
                "equivalent": if_unchanged.equivalent,
                "different_if_unchanged": if_unchanged.different,
            }
        )
    here = next(point for point in curve if point["patches"] == a.patches)
    return {
        "method": "the rule of the verdict: "
        + ("sign-flip test" if a.readers == 1 else "Obuchowski-Rockette")
        + " for a difference, empirical likelihood for the margin"
        + (f", over {a.groups} slides or patients" if a.groups else ""),
        "power": {name: here[name] for name in CROSSED},
        "monte_carlo_error": {name: at_margin.error(here[name]) for name in CROSSED},
        "different_if_unchanged": here["different_if_unchanged"],
        "false_claim_at_margin": at_margin.non_inferior,
        "smallest_patches": {
            name: {f"{target:g}": _first_reaching(curve, name, target) for target in TARGETS} for name in CROSSED
        },
        "largest_tried": sizes[-1],
        "studies": a.studies,
        "seed": a.seed,
        "curve": curve,
    }


def grid(largest: int, patches: int, points: int) -> list[int]:
    """Numbers of patches from 6 to the largest, evenly on the square-root scale, the planned one among them."""
    top = max(largest, patches)
    spread = np.linspace(6**0.5, top**0.5, points) ** 2
    return sorted({*(round(n) for n in spread), patches})


def _first_reaching(curve: list[dict[str, float]], name: str, target: float) -> int | None:
    """Where the simulated curve crosses the target for good, interpolated between its points and rounded up."""
    below = [number for number, point in enumerate(curve) if point[name] < target]
    if not below:
        return int(curve[0]["patches"])
    if below[-1] == len(curve) - 1:
        return None
    low, high = curve[below[-1]], curve[below[-1] + 1]
    share = (target - low[name]) / (high[name] - low[name])
    return ceil(low["patches"] + share * (high["patches"] - low["patches"]) - 1e-9)


def _warnings(a: Assumptions) -> list[str]:
    warnings = []
    if abs(a.difference) < 1e-9:
        warnings.append("The assumed change is zero: the power to find a difference is then the rate of false alarms.")
    if a.readers == 1:
        warnings.append("With one reader, nothing is said about readers in general, whatever the number of patches.")
    elif a.readers < 4:
        warnings.append(
            f"With {a.readers} readers the variation between readers is hardly estimated; intervals over readers are "
            "wide or, by chance, too narrow."
        )
    if a.groups is not None and a.groups < FEWEST_GROUPS:
        warnings.append(
            f"With fewer than {FEWEST_GROUPS} slides or patients no verdict is given, whatever the answers: the power "
            f"over {a.groups} is zero. One reading is computed as if every patch came from a slide of its own."
        )
    elif a.groups is not None:
        warnings.append("One reading is computed as if every patch came from a slide of its own.")
    if a.discordance is not None:
        warnings.append(
            "The discordance given is used for one reading, under the change and under no change alike; the simulation "
            "of readers and sets goes by the variance components."
        )
    return warnings
