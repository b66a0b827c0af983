"""Plans of the tasks that ask what readers see: a ladder of levels (fixed or adaptive), and pairs that ask for a bias.

A ladder's plan simulates studies and puts each through the analysis itself, so that the widths are those of the results
page. Sizes are relative to the model's smallest flip in the middle of all patches, which is 1. A bias's plan simulates
answers and asks the test that the study will be judged by.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import exp, log, sqrt
from typing import Any

import numpy as np

from core.errors import InvalidInput
from study.design.choice_power import ChoiceDesign, found, power, simulate
from study.design.seeing import World, read
from study.statistics.visibility.fitting import fit
from study.statistics.visibility.index import Comparison, Flips
from study.statistics.visibility.ladders import FEWEST_ANSWERS, FEWEST_LEVELS, FEWEST_PATCHES
from study.statistics.visibility.model import Trials

FIXED, ADAPTIVE = "fixed", "adaptive"
LOWEST, HIGHEST = 0.25, 16.0
"""The weakest and the strongest level of a planned ladder, in smallest flips: as the builder chooses them."""
TARGETS = (0.80, 0.90)
MOST_PAIRS = 2000


@dataclass(frozen=True)
class LadderAssumptions:
    """What is planned, and what is assumed to be true. SDs are of log sizes; ``times`` is threshold / smallest flip."""

    readers: int = 5
    patches: int = 20
    design: str = ADAPTIVE
    levels: int = 8
    trials: int = 60
    sets: int = 1
    times: float = 2.0
    spread_readers: float = 0.3
    spread_patches: float = 0.5
    spread_flips: float = 0.5
    lapse: float = 0.05
    studies: int = 24
    seed: int = 0

    def check(self) -> None:
        """Raises InvalidInput naming the field."""
        ranges: dict[str, tuple[float, float, float]] = {
            "readers": (self.readers, 2, 30), "patches": (self.patches, FEWEST_PATCHES, 200),
            "levels": (self.levels, FEWEST_LEVELS, 20), "trials": (self.trials, FEWEST_ANSWERS, 1000),
            "sets": (self.sets, 1, 10), "times": (self.times, 0.5, 10), "spread_readers": (self.spread_readers, 0, 1.5),
            "spread_patches": (self.spread_patches, 0, 1.5), "spread_flips": (self.spread_flips, 0.05, 1.5),
            "lapse": (self.lapse, 0, 0.25), "studies": (self.studies, 8, 1000),
        }  # fmt: skip
        _in_range(ranges)
        if self.design not in (FIXED, ADAPTIVE):
            raise InvalidInput(f"{self.design!r} is neither {FIXED} nor {ADAPTIVE}.", field="design")
        if self.readers * self.pairs_per_reader > 100_000:
            text = f"{self.readers * self.pairs_per_reader:,} pairs in all are more than can be planned with (100,000)."
            raise InvalidInput(text, field="patches")

    @property
    def pairs_per_reader(self) -> int:
        """Of one ladder, without identical pairs."""
        return self.trials if self.design == ADAPTIVE else self.patches * self.levels * self.sets

    def world(self) -> World:
        levels = tuple(np.geomspace(LOWEST, HIGHEST, self.levels).tolist())
        return World(
            self.spread_readers,
            self.spread_patches,
            self.lapse,
            middle=self.times,
            flip=1.0,
            flip_sd=self.spread_flips,
            levels=levels,
        )


def plan_ladder(assumptions: LadderAssumptions) -> dict[str, Any]:
    """What a ladder's study would tell: expected intervals of the index and the threshold; the same assumptions give
    the same plan.

    Returns:
        ``assumptions``, ``pairs_per_reader``, ``truth`` (the index that they imply), ``expected`` (see ``widths``),
        ``by_readers`` and ``by_patches`` (the same for other numbers of either) and ``warnings``.
    """
    a = assumptions
    a.check()
    fewer = max(8, a.studies // 3)
    others = [replace(a, studies=fewer, readers=n) for n in (2, 5, 8, 12) if n != a.readers]
    further = [
        replace(a, studies=fewer, patches=n)
        for n in sorted({max(FEWEST_PATCHES, a.patches // 2), min(200, 2 * a.patches)} - {a.patches})
    ]
    expected = widths(a)
    by_readers = sorted([widths(one) for one in others] + [expected], key=lambda row: row["readers"])
    by_patches = sorted([widths(one) for one in further] + [expected], key=lambda row: row["patches"])
    return {
        "task": "ladder",
        "assumptions": asdict(a),
        "pairs_per_reader": a.pairs_per_reader,
        "truth": {"index": a.world().index(), "threshold": a.times},
        "expected": expected,
        "by_readers": by_readers,
        "by_patches": by_patches,
        "warnings": list(_ladder_warnings(a, expected)),
    }


def widths(a: LadderAssumptions) -> dict[str, Any]:
    """Medians over simulated studies: ``index`` (its interval's ends and ``width``), ``threshold`` (the factor by which
    its interval reaches to either side), with the Monte Carlo error of the mean width; ``without``: share of studies
    that would have no interval of the index.
    """
    world, rng = a.world(), np.random.default_rng([a.seed, a.readers, a.patches])
    trials = a.trials if a.design == ADAPTIVE else None
    ends, halves = [], []
    for _ in range(a.studies):
        study = read(rng, world, a.readers, a.patches, trials, a.sets)
        shown, patch = np.unique(study.patch, return_inverse=True)  # few adaptive pairs do not reach every patch
        log_flip = study.log_flip[shown]
        counted = Trials.count(study.reader, patch, study.level, study.right, log_flip - log_flip.mean())
        compared = Comparison(fit(counted), Flips(log_flip, np.arange(len(shown))))
        share, threshold = compared.share(), compared.over_readers(lambda at: at[: a.readers])
        if share.ci95 is not None:
            ends.append(share.ci95)
        if threshold.ci95 is not None:
            halves.append((threshold.ci95[1] - threshold.ci95[0]) / 2)
    width = np.array([high - low for low, high in ends])
    return {
        "readers": a.readers,
        "patches": a.patches,
        "pairs_per_reader": a.pairs_per_reader,
        "index": None if not ends else {
            "low": float(np.median([low for low, _ in ends])), "high": float(np.median([high for _, high in ends])),
            "width": float(np.median(width)), "error": float(width.std(ddof=1) / sqrt(len(width))),
        },
        "threshold": None if not halves else {"times": exp(float(np.median(halves)))},
        "without": 1 - len(ends) / a.studies,
        "studies": a.studies,
    }  # fmt: skip


def _ladder_warnings(a: LadderAssumptions, expected: dict[str, Any]) -> Iterator[str]:
    if a.readers < 5:
        yield (
            f"{a.readers} readers say little of other readers: their spread is estimated from {a.readers} thresholds, "
            "and the interval is wide whatever the number of patches and pairs."
        )
    if expected["index"] and expected["index"]["width"] > 0.5:
        yield "The index would be known to no better than half of the scale. The tables show what more would do."
    if a.design == ADAPTIVE and a.trials < a.patches:
        yield f"{a.trials} pairs do not show each of the {a.patches} patches to every reader."
    if a.design == ADAPTIVE and a.spread_patches >= 0.7:
        yield "Where patches differ so much, one reader’s own threshold is less well known than its interval says."


@dataclass(frozen=True)
class BiasAssumptions:
    """``share``: how often the twin that is pushed toward tumour is chosen, if there is a bias."""

    pairs: int = 100
    readers: int = 5
    sets: int = 1
    share: float = 0.55
    preference_sd: float = 1.5
    studies: int = 400
    seed: int = 0

    def check(self) -> None:
        """Raises InvalidInput naming the field."""
        _in_range(
            {
                "pairs": (self.pairs, 5, MOST_PAIRS), "readers": (self.readers, 1, 50), "sets": (self.sets, 1, 10),
                "share": (self.share, 0.51, 0.99), "preference_sd": (self.preference_sd, 0, 4),
                "studies": (self.studies, 100, 10_000),
            }
        )  # fmt: skip
        if self.pairs * self.readers * self.sets * self.studies > 100_000_000:
            raise InvalidInput(
                "more than 100 million answers would have to be simulated; ask for fewer.", field="studies"
            )

    def pairs_of(self, pairs: int) -> ChoiceDesign:
        return ChoiceDesign(pairs, self.readers, self.sets, self.preference_sd)


def plan_bias(assumptions: BiasAssumptions) -> dict[str, Any]:
    """How likely pairs of twins are to show a bias; the same assumptions give the same plan.

    Returns:
        ``assumptions``, ``power`` with its ``monte_carlo_error``, ``false`` (how often a bias would be found where
        there is none), ``curve`` over numbers of pairs, ``pairs_needed`` for 80 and 90 % (None: beyond the curve),
        ``largest_tried`` and ``warnings``.
    """
    a = assumptions
    a.check()
    top = min(MOST_PAIRS, max(800, 2 * a.pairs))
    sizes = sorted({*(round(n) for n in np.geomspace(20, top, 9)), a.pairs})
    curve = [
        {"pairs": n, "power": power(a.pairs_of(n), a.share, replications=_enough(a, n), seed=a.seed)} for n in sizes
    ]
    here = next(point["power"] for point in curve if point["pairs"] == a.pairs)
    rng = np.random.default_rng([a.seed, 1])
    none = [found(simulate(rng, a.pairs_of(a.pairs))) for _ in range(a.studies)]
    return {
        "task": "bias",
        "assumptions": asdict(a),
        "power": here,
        "monte_carlo_error": sqrt(max(here * (1 - here), 0.01) / a.studies),
        "false": float(np.mean(none)),
        "curve": curve,
        "largest_tried": top,
        "pairs_needed": {f"{target:g}": _reaching(curve, target) for target in TARGETS},
        "warnings": list(_bias_warnings(a)),
    }


def _enough(a: BiasAssumptions, pairs: int) -> int:
    """Simulated studies of one point: as asked for the plan itself, fewer for the others of the curve."""
    return a.studies if pairs == a.pairs else max(100, a.studies // 2)


def _reaching(curve: list[dict[str, float]], target: float) -> int | None:
    """Where the curve crosses the target for good, interpolated on the logarithm and rounded up."""
    below = [number for number, point in enumerate(curve) if point["power"] < target]
    if not below:
        return int(curve[0]["pairs"])
    if below[-1] == len(curve) - 1:
        return None
    low, high = curve[below[-1]], curve[below[-1] + 1]
    share = (target - low["power"]) / (high["power"] - low["power"])
    return int(np.ceil(exp(log(low["pairs"]) + share * log(high["pairs"] / low["pairs"])) - 1e-9))


def _bias_warnings(a: BiasAssumptions) -> Iterator[str]:
    if a.readers == 1:
        yield "One reader speaks of this reader alone; a finding says nothing of others."
    elif a.readers < 4:
        yield f"With {a.readers} readers even a bias that all share is found later than so many answers suggest."
    if a.sets > 1 and a.preference_sd >= 1:
        yield "Readers who keep to their preference tell little new in a second set: further pairs help more."


def _in_range(ranges: dict[str, tuple[float, float, float]]) -> None:
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise InvalidInput(f"{value:g} is out of range; choose from {low:g} to {high:g}.", field=name)
